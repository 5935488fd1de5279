//! How far the log has been heard of, so that a batch that was lost on the way is noticed. One that another of its partition follows leaves
//! a hole, and one that nothing follows leaves silence. Two servers publish side by side, so a batch may also come before the one that it
//! follows on: a hole has a moment to be filled before it counts.

use contract::log::Batch;
use std::time::Duration;
use tokio::time::Instant;

/// After so much silence of a partition the log's end is asked for.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);
/// For how long a hole may be filled.
pub(crate) const ORDER: Duration = Duration::from_millis(20);

/// What has been heard of each partition.
pub(crate) struct Positions {
    /// None until the log's end has been asked for.
    partitions: Vec<Partition>,
    /// When that was last.
    asked: Instant,
}

struct Partition {
    /// The last position that was heard of.
    last: i64,
    /// When. Each partition's silence counts for itself: where much is said in one, that of another would not be noticed.
    heard: Instant,
    /// What was not heard of before that.
    holes: Vec<Hole>,
}

struct Hole {
    first: i64,
    last: i64,
    since: Instant,
}

impl Partition {
    fn hear(&mut self, first: i64, last: i64) {
        let now = Instant::now();
        self.heard = now;
        if first > self.last + 1 {
            self.holes.push(Hole { first: self.last + 1, last: first - 1, since: now });
        } else if !self.holes.is_empty() {
            // What remains of each on either side of the batch. One that has been heard already takes nothing away.
            let rest = |hole: Hole| {
                let before = Hole { last: hole.last.min(first - 1), ..hole };
                let after = Hole { first: hole.first.max(last + 1), ..hole };
                [before, after].into_iter().filter(|hole| hole.first <= hole.last)
            };
            self.holes = std::mem::take(&mut self.holes).into_iter().flat_map(rest).collect();
        }
        self.last = self.last.max(last);
    }
}

impl Positions {
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

    /// When something may be missing: then [`Positions::lacks`] says whether it is, or the log's end has to be asked for.
    pub(crate) fn due(&self) -> Instant {
        let silent = self.partitions.iter().map(|partition| partition.heard).min().unwrap_or(self.asked) + SILENCE;
        self.holes().map(|hole| hole.since + ORDER).fold(silent, Instant::min)
    }

    /// Whether a batch is missing by now.
    pub(crate) fn lacks(&self, now: Instant) -> bool {
        self.holes().any(|hole| hole.since + ORDER <= now)
    }

    /// Whoever listens has been told to read the log, in which the batch behind a hole is, and so the hole's.
    pub(crate) fn looked(&mut self) {
        self.partitions.iter_mut().for_each(|partition| partition.holes.clear());
    }

    /// The log ended there at that time. Whether all of it had been heard of.
    pub(crate) fn are(&mut self, positions: Vec<i64>, at: Instant) -> bool {
        let known = self.holes().next().is_none() && positions.iter().eq(self.partitions.iter().map(|partition| &partition.last));
        self.partitions = positions.into_iter().map(|last| Partition { last, heard: at, holes: Vec::new() }).collect();
        self.asked = at;
        known
    }

    /// The log's end could not be told: the silence begins anew.
    pub(crate) fn wait(&mut self, at: Instant) {
        self.asked = at;
        self.partitions.iter_mut().for_each(|partition| partition.heard = at);
    }

    fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.partitions.iter().flat_map(|partition| &partition.holes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(positions: &mut Positions, batches: &[(i64, i64)]) {
        for (first, last) in batches {
            positions.hear(&Batch { epoch: 1, partition: 0, first: *first, last: *last, entries: Vec::new() });
        }
    }

    fn holes(positions: &Positions) -> Vec<(i64, i64)> {
        positions.holes().map(|hole| (hole.first, hole.last)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hole_is_what_no_batch_has_held() {
        let mut positions = Positions::new();
        heard(&mut positions, &[(1, 5)]);
        assert!(!positions.are(vec![10], Instant::now()), "nothing was known before");
        heard(&mut positions, &[(11, 12), (8, 11), (12, 14)]);
        assert_eq!(holes(&positions), []);
        heard(&mut positions, &[(21, 22), (25, 25)]);
        assert_eq!(holes(&positions), [(15, 20), (23, 24)]);
        heard(&mut positions, &[(17, 18), (17, 18), (21, 22)]);
        assert_eq!(holes(&positions), [(15, 16), (19, 20), (23, 24)]);
        heard(&mut positions, &[(15, 16), (18, 23)]);
        assert_eq!(holes(&positions), [(24, 24)]);
        assert!(!positions.are(vec![25], Instant::now()), "the log ends where it should, and one of it was not heard");
        assert!(positions.are(vec![25], Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hole_counts_after_a_moment_and_silence_after_a_while() {
        let mut positions = Positions::new();
        positions.are(vec![0, 0], Instant::now());
        let began = Instant::now();
        assert_eq!(positions.due(), began + SILENCE);
        heard(&mut positions, &[(2, 2)]);
        assert_eq!(positions.due(), began + ORDER);
        assert!(!positions.lacks(began) && positions.lacks(began + ORDER));
        positions.looked();
        assert_eq!(positions.due(), began + SILENCE, "the other partition is silent still");
        tokio::time::advance(SILENCE).await;
        positions.wait(Instant::now());
        assert_eq!(positions.due(), began + 2 * SILENCE);
    }
}
