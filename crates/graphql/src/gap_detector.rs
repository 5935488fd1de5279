//! Notices batches of the log that were lost on the way. A lost batch leaves a gap before the next one of its partition, or silence if there
//! is no next one. Two servers publish side by side, so a batch may also overtake the one that it follows on: a gap has a moment to be filled
//! before it counts.

use contract::log::Batch;
use std::time::Duration;
use tokio::time::Instant;

/// After so long a silence of a partition the log's end is asked for.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);
/// How long a gap may take to be filled.
pub(crate) const REORDER_WAIT: Duration = Duration::from_millis(20);

/// What has been heard of each partition.
pub(crate) struct GapDetector {
    /// None until the log's end has been asked for.
    partitions: Vec<Partition>,
    /// When that was last.
    asked: Instant,
}

struct Partition {
    /// The last position that was heard of.
    last: i64,
    /// When. Each partition has its own silence: that of one must be noticed however much is written to another.
    heard: Instant,
    /// Positions before it that were not heard of.
    gaps: Vec<Gap>,
}

struct Gap {
    first: i64,
    last: i64,
    since: Instant,
}

impl Partition {
    fn hear(&mut self, first: i64, last: i64) {
        let now = Instant::now();
        self.heard = now;
        if first > self.last + 1 {
            self.gaps.push(Gap { first: self.last + 1, last: first - 1, since: now });
        } else if !self.gaps.is_empty() {
            // The rest of each gap on either side of the batch. A batch that was heard before fills nothing.
            let rest = |gap: Gap| {
                let before = Gap { last: gap.last.min(first - 1), ..gap };
                let after = Gap { first: gap.first.max(last + 1), ..gap };
                [before, after].into_iter().filter(|gap| gap.first <= gap.last)
            };
            self.gaps = std::mem::take(&mut self.gaps).into_iter().flat_map(rest).collect();
        }
        self.last = self.last.max(last);
    }
}

impl GapDetector {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { partitions: Vec::new(), asked: Instant::now() }
    }

    /// A batch was heard.
    pub(crate) fn hear(&mut self, batch: &Batch) {
        if let Some(partition) = self.partitions.get_mut(usize::from(batch.partition)) {
            partition.hear(batch.first, batch.last);
        }
    }

    /// When something may be missing: then [`GapDetector::has_gap`] says whether it is, or the log's end has to be asked for.
    pub(crate) fn due(&self) -> Instant {
        let silent = self.partitions.iter().map(|partition| partition.heard).min().unwrap_or(self.asked) + SILENCE;
        self.gaps().map(|gap| gap.since + REORDER_WAIT).fold(silent, Instant::min)
    }

    /// Whether a batch is missing by now.
    pub(crate) fn has_gap(&self, now: Instant) -> bool {
        self.gaps().any(|gap| gap.since + REORDER_WAIT <= now)
    }

    /// The listeners have been told to read the log, and so find what is in the gaps.
    pub(crate) fn forget_gaps(&mut self) {
        self.partitions.iter_mut().for_each(|partition| partition.gaps.clear());
    }

    /// The log ended at these positions at that time. Answers whether all of it had been heard of.
    pub(crate) fn set_end(&mut self, positions: Vec<i64>, at: Instant) -> bool {
        let known = self.gaps().next().is_none() && positions.iter().eq(self.partitions.iter().map(|partition| &partition.last));
        self.partitions = positions.into_iter().map(|last| Partition { last, heard: at, gaps: Vec::new() }).collect();
        self.asked = at;
        known
    }

    /// The log's end could not be found: the silence begins again.
    pub(crate) fn restart_silence(&mut self, at: Instant) {
        self.asked = at;
        self.partitions.iter_mut().for_each(|partition| partition.heard = at);
    }

    fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.partitions.iter().flat_map(|partition| &partition.gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(detector: &mut GapDetector, batches: &[(i64, i64)]) {
        for (first, last) in batches {
            detector.hear(&Batch { epoch: 1, partition: 0, first: *first, last: *last, entries: Vec::new(), state: None });
        }
    }

    fn gaps(detector: &GapDetector) -> Vec<(i64, i64)> {
        detector.gaps().map(|gap| (gap.first, gap.last)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_what_no_batch_has_held() {
        let mut detector = GapDetector::new();
        heard(&mut detector, &[(1, 5)]);
        assert!(!detector.set_end(vec![10], Instant::now()), "nothing was known before");
        heard(&mut detector, &[(11, 12), (8, 11), (12, 14)]);
        assert_eq!(gaps(&detector), []);
        heard(&mut detector, &[(21, 22), (25, 25)]);
        assert_eq!(gaps(&detector), [(15, 20), (23, 24)]);
        heard(&mut detector, &[(17, 18), (17, 18), (21, 22)]);
        assert_eq!(gaps(&detector), [(15, 16), (19, 20), (23, 24)]);
        heard(&mut detector, &[(15, 16), (18, 23)]);
        assert_eq!(gaps(&detector), [(24, 24)]);
        assert!(!detector.set_end(vec![25], Instant::now()), "the log ends where it should, and one of it was not heard");
        assert!(detector.set_end(vec![25], Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_counts_after_a_moment_and_silence_after_a_while() {
        let mut detector = GapDetector::new();
        detector.set_end(vec![0, 0], Instant::now());
        let began = Instant::now();
        assert_eq!(detector.due(), began + SILENCE);
        heard(&mut detector, &[(2, 2)]);
        assert_eq!(detector.due(), began + REORDER_WAIT);
        assert!(!detector.has_gap(began) && detector.has_gap(began + REORDER_WAIT));
        detector.forget_gaps();
        assert_eq!(detector.due(), began + SILENCE, "the other partition is silent still");
        tokio::time::advance(SILENCE).await;
        detector.restart_silence(Instant::now());
        assert_eq!(detector.due(), began + 2 * SILENCE);
    }
}
