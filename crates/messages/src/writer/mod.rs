//! The log's writers, one for each partition: group commit.
//!
//! Whatever changes a room waits in one queue. The writer of the room's partition takes all that wait (up to [`MOST`]), lets each decide
//! inside one transaction, and answers them all once that transaction is on disk; so the answer is the commit, and throughput comes from the
//! batch. A refusal is an outcome and never fails its neighbours. If the database fails a batch, nothing of it has happened, and each
//! of its operations is tried again alone, so that one which cannot be written does not take the others with it.
//!
//! Membership, nonce and seq are decided in here, by [`Operation::decide`], in the order in which operations entered the queue.

mod ahead;
mod batch;
mod operation;
mod remembered;

pub(crate) use batch::{Batch, NewRow};
pub(crate) use operation::{Denied, Needs, Operation};

use crate::partitions::Partitions;
use crate::publish::Publisher;
use batch::Outcome;
use contract::{Clock, Refusal};
use db::Db;
use operation::{Pending, Waiting};
use remembered::Remembered;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Operations in one commit at the most: by then the cost of the sync is spread thin, and the first of them has waited long enough.
const MOST: usize = 1_024;

/// Operations that may wait; past it the service says `busy`, which costs less than to take on what cannot be done soon.
const QUEUE: usize = 16_384;

/// A handle to the writers.
#[derive(Clone)]
pub(crate) struct Writer {
    partitions: Partitions,
    /// One for each partition.
    queues: Arc<[mpsc::Sender<Box<dyn Pending>>]>,
}

impl Writer {
    /// Starts the writers' tasks, each with the publisher that `publisher` makes for its partition. They end, having committed all that
    /// they were given, when the last handle is gone.
    pub(crate) fn start(db: &Db, clock: &Clock, publisher: impl Fn(u16) -> Publisher) -> (Self, JoinSet<()>) {
        let partitions = Partitions::of(db);
        let mut tasks = JoinSet::new();
        let queues = partitions.all().map(|part| {
            let (queue, operations) = mpsc::channel(QUEUE);
            let committer = Committer { part, db: db.clone(), clock: clock.clone(), publisher: publisher(part) };
            tasks.spawn(run(operations, committer));
            queue
        });
        let queues = queues.collect();
        (Self { partitions, queues }, tasks)
    }

    /// Enters the queue now, in the caller's order, and answers when the operation is on disk (or refused).
    pub(crate) async fn write<O: Operation>(&self, operation: O) -> Result<O::Done, Refusal> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queues.get(usize::from(self.partitions.of_room(operation.room())));
        let waiting = Box::new(Waiting::new(operation, answer));
        if queue.is_none_or(|queue| queue.try_send(waiting).is_err()) {
            return Err(Refusal::busy("more is waiting to be written than can be written soon; try again"));
        }
        match answered.await {
            Ok(outcome) => outcome,
            Err(_) => Err(edge::incident(&"the writer dropped an operation")),
        }
    }
}

/// What a transaction works on: it goes into the writer's thread and comes back, whatever happens there.
struct Work {
    remembered: Remembered,
    pending: Vec<Box<dyn Pending>>,
}

/// What one partition's operations are committed with.
struct Committer {
    part: u16,
    db: Db,
    clock: Clock,
    publisher: Publisher,
}

async fn run(mut operations: mpsc::Receiver<Box<dyn Pending>>, committer: Committer) {
    let mut remembered = Remembered::default();
    let mut pending = Vec::new();
    while operations.recv_many(&mut pending, MOST).await > 0 {
        metrics::gauge!("guild_append_queue", "partition" => committer.part.to_string()).set(operations.len() as f64);
        remembered = commit(&committer, remembered, std::mem::take(&mut pending)).await;
    }
}

/// Commits these operations together, or if that fails each alone, and answers them.
async fn commit(committer: &Committer, remembered: Remembered, pending: Vec<Box<dyn Pending>>) -> Remembered {
    let count = pending.len();
    let began = Instant::now();
    let (mut work, mut result) = attempt(committer, Work { remembered, pending }).await;
    if let (Some(again), Err(db::Error::Conflict(_)), 1) = (&mut work, &result, count) {
        // Another server, or another partition, has just written what this must not write twice; it will be found now.
        again.remembered.forget();
        if let Some(again) = work.take() {
            (work, result) = attempt(committer, again).await;
        }
    }
    let Some(work) = work else {
        // The operations went down with a panic in the writer's thread; whoever waits for them is told by the dropped answer.
        return Remembered::default();
    };
    let mut remembered = work.remembered;
    match result {
        Ok(outcome) => {
            metrics::histogram!("guild_commit_batch").record(count as f64);
            metrics::counter!("guild_messages_total").increment(outcome.messages);
            tracing::trace!(operations = count, took = ?began.elapsed(), "committed");
            // First the hint, which only enters a queue, then the answers.
            committer.publisher.committed(outcome.rows);
            work.pending.into_iter().for_each(Pending::committed);
        }
        Err(error) => {
            remembered.forget();
            if count > 1 && !matches!(error, db::Error::Busy(_)) {
                tracing::warn!(operations = count, %error, "a commit failed; trying each operation alone");
                for one in work.pending {
                    remembered = Box::pin(commit(committer, remembered, vec![one])).await;
                }
            } else {
                let refusal = Refusal::from(error);
                work.pending.into_iter().for_each(|pending| pending.failed(refusal.clone()));
            }
        }
    }
    remembered
}

/// One transaction. The work comes back, unless it was lost to a panic.
async fn attempt(committer: &Committer, work: Work) -> (Option<Work>, Result<Outcome, db::Error>) {
    let slot = Arc::new(Mutex::new(Some(work)));
    let (inside, clock, part) = (Arc::clone(&slot), committer.clock.clone(), committer.part);
    let result = committer
        .db
        .write(move |tx| {
            Box::pin(async move {
                let Some(mut work) = take(&inside) else {
                    return Err(db::Error::Failed("a batch was run twice".into()));
                };
                let result = Batch::decide_all(tx, part, &mut work.remembered, &mut work.pending, &clock).await;
                *inside.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
                result
            })
        })
        .await;
    (take(&slot), result)
}

fn take(slot: &Mutex<Option<Work>>) -> Option<Work> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
