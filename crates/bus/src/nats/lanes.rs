//! Calls that must be carried out in order. Several servers may answer a call, and neither they nor NATS keep an order between them. So such
//! calls travel in lanes, chosen by their keys: one request of a lane is under way at a time, and the calls that come meanwhile go together
//! in the next ones, those of one subject in each. A lane takes calls of every subject, so a message's edit never overtakes the message. Where little happens, no call waits for others. Where much happens, many calls share a message of NATS and its way
//! through two processes, as they share a commit.

use super::Nats;
use super::ask::{Failure, late};
use super::bundle::{PREFIX, join, split};
use bytes::Bytes;
use contract::Refusal;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How many lanes there are: a multiple of the log's partitions on PostgreSQL, and chosen like them by the end of a room's id. So calls that travel
/// together are committed together.
const LANES: u8 = 8;

/// Calls in one request at the most: as many as one commit takes.
pub(super) const MOST: usize = 1_024;

type Outcome = Result<Bytes, Failure>;

#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<u8, VecDeque<QueuedCall>>>);

/// A call that waits for one of the lane's next requests.
struct QueuedCall {
    subject: &'static str,
    request: Bytes,
    until: Instant,
    outcome: oneshot::Sender<Outcome>,
}

impl Lanes {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u8, VecDeque<QueuedCall>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call into a lane. True where no task serves the lane yet: then the caller starts one.
    fn enter(&self, lane: u8, call: QueuedCall) -> bool {
        let mut lanes = self.lock();
        let idle = !lanes.contains_key(&lane);
        lanes.entry(lane).or_default().push_back(call);
        idle
    }

    /// The calls that go next: those of one subject, at most so many bytes but at least one call. A lane without calls is removed, and its
    /// task ends.
    fn next(&self, lane: u8, most_bytes: usize) -> Vec<QueuedCall> {
        let mut lanes = self.lock();
        let Some(waiting) = lanes.get_mut(&lane) else { return Vec::new() };
        let (mut taken, mut bytes) = (Vec::<QueuedCall>::new(), 0);
        while let Some(first) = waiting.front()
            && taken.len() < MOST
        {
            // The caller is gone, or is told below that it took too long.
            if first.outcome.is_closed() || first.until <= Instant::now() {
                waiting.pop_front();
                continue;
            }
            if taken.first().is_some_and(|taken| taken.subject != first.subject) {
                break;
            }
            bytes += PREFIX + first.request.len();
            if bytes > most_bytes && !taken.is_empty() {
                break;
            }
            taken.extend(waiting.pop_front());
        }
        if taken.is_empty() {
            lanes.remove(&lane);
        }
        taken
    }
}

impl Nats {
    /// Asks in the lane of this key. The first poll puts the call into the lane.
    pub(super) async fn ask_in_lane(
        self: &Arc<Self>,
        subject: &'static str,
        key: [u8; 16],
        request: Bytes,
        until: Instant,
    ) -> Result<Bytes, Failure> {
        let lane = key[15] % LANES;
        let (sender, outcome) = oneshot::channel();
        if self.lanes.enter(lane, QueuedCall { subject, request, until, outcome: sender }) {
            tokio::spawn(Arc::clone(self).serve_lane(lane));
        }
        match tokio::time::timeout_at(until, outcome).await {
            Ok(Ok(outcome)) => outcome,
            // The lane dropped the call because its time was over.
            Ok(Err(_)) | Err(_) => Err(("late", late(subject))),
        }
    }

    /// Sends the calls of a lane, one request after the other, until none waits.
    async fn serve_lane(self: Arc<Self>, lane: u8) {
        // If this task were lost, the lane would still count as served, and its calls would wait for ever.
        let _watch = self.vital.watch("a lane of calls to other processes");
        loop {
            let waiting = self.lanes.next(lane, self.most_bytes());
            // The last call has the latest deadline; a call whose deadline comes earlier gives up alone.
            let Some((subject, until)) = waiting.first().map(|one| one.subject).zip(waiting.iter().map(|one| one.until).max()) else {
                return;
            };
            let (requests, outcomes): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.request, one.outcome)).unzip();
            metrics::histogram!("guild_nats_bundle").record(requests.len() as f64);
            let answers = match <[Bytes; 1]>::try_from(requests) {
                Ok([alone]) => self.request(subject, alone, 1, until).await.map(|answer| vec![answer]),
                Err(many) => {
                    let answer = self.request(subject, join(&many), many.len(), until).await;
                    answer.and_then(|answer| split(&answer, many.len()).ok_or_else(|| ("broken", broken(subject))))
                }
            };
            match answers {
                Ok(answers) => outcomes.into_iter().zip(answers).for_each(|(outcome, answer)| _ = outcome.send(Ok(answer))),
                Err(failure) => outcomes.into_iter().for_each(|outcome| _ = outcome.send(Err(failure.clone()))),
            }
        }
    }
}

fn broken(subject: &str) -> Refusal {
    tracing::error!(subject, "the answer to several calls does not hold one for each: do all services run the same version?");
    Refusal::busy(format!("{subject} cannot be understood at the moment; try again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn waiting(subject: &'static str, bytes: usize, left: Duration) -> (QueuedCall, oneshot::Receiver<Outcome>) {
        let (outcome, receiver) = oneshot::channel();
        (QueuedCall { subject, request: vec![0; bytes].into(), until: Instant::now() + left, outcome }, receiver)
    }

    #[tokio::test]
    async fn a_lane_gives_what_waits_in_order_and_ends_when_nobody_does() {
        let (lanes, lane, long) = (Lanes::default(), 1, Duration::from_secs(60));
        let mut receivers = Vec::new();
        for bytes in [10, 20, 30, 5_000, 40] {
            let (one, receiver) = waiting("s", bytes, long);
            assert_eq!(lanes.enter(lane, one), receivers.is_empty());
            receivers.push(receiver);
        }
        drop(receivers.remove(1));
        let (late, _receiver) = waiting("s", 1, Duration::ZERO);
        lanes.enter(lane, late);
        let sizes = || lanes.next(lane, 1_000).iter().map(|one| one.request.len()).collect::<Vec<_>>();
        assert_eq!(sizes(), [10, 30], "a call whose caller is gone is passed over");
        assert_eq!(sizes(), [5_000], "what is too large for company goes alone");
        assert_eq!(sizes(), [40], "whose time is over is let go");
        assert!(sizes().is_empty() && lanes.lock().is_empty());
        let (again, _receiver) = waiting("s", 1, long);
        assert!(lanes.enter(lane, again), "nobody served it any more");
    }

    #[tokio::test]
    async fn a_request_has_calls_of_one_subject_and_overtakes_none_of_another() {
        let (lanes, long) = (Lanes::default(), Duration::from_secs(60));
        let mut receivers = Vec::new();
        for (subject, bytes) in [("send", 1), ("send", 2), ("edit", 3), ("send", 4)] {
            let (one, receiver) = waiting(subject, bytes, long);
            lanes.enter(0, one);
            receivers.push(receiver);
        }
        let next = || lanes.next(0, 1_000).iter().map(|one| (one.subject, one.request.len())).collect::<Vec<_>>();
        assert_eq!(next(), [("send", 1), ("send", 2)]);
        assert_eq!(next(), [("edit", 3)]);
        assert_eq!(next(), [("send", 4)]);
    }
}
