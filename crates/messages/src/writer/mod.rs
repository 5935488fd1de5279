//! The log's writers, one for each partition: group commit.
//!
//! Whatever changes a room waits in one queue. The writer of the room's partition takes all that wait (up to [`MOST`]), lets each decide
//! inside one transaction, and answers them all once that transaction is on disk; so the answer is the commit, and throughput comes from the
//! batch. A refusal is an outcome and never fails its neighbours. If the database fails a batch, or an operation panics, nothing of it has
//! happened, and its operations are tried again in smaller groups, so that one which cannot be written does not take the others with it; one
//! that has panicked is not tried again.
//!
//! Membership, nonce and seq are decided in here, by [`Operation::decide`], in the order in which operations entered the queue.

mod ahead;
mod batch;
mod changes;
mod denied;
mod needs;
mod operation;
mod remembered;

pub(crate) use batch::{Batch, NewRow};
pub(crate) use denied::Denied;
pub(crate) use needs::Needs;
pub(crate) use operation::Operation;

use crate::log_version::MinVersion;
use crate::partitions::Partitions;
use crate::send::publish::Publisher;
use batch::{Outcome, Place};
use contract::{Clock, Refusal};
use db::Db;
use futures_util::FutureExt;
use operation::{Pending, Trouble, Waiting, decide_all, panicked};
use remembered::Remembered;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use vital::Vital;

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
    pub(crate) fn start(
        db: &Db,
        clock: &Clock,
        vital: &Vital,
        min_version: &MinVersion,
        publisher: impl Fn(u16) -> Publisher,
    ) -> (Self, JoinSet<()>) {
        let partitions = Partitions::of(db);
        let mut tasks = JoinSet::new();
        let queues = partitions.all().map(|part| {
            let (queue, operations) = mpsc::channel(QUEUE);
            let (db, clock, min_version) = (db.clone(), clock.clone(), min_version.clone());
            let committer = Committer { part, db, clock, min_version, publisher: publisher(part) };
            tasks.spawn(vital.keep("a writer of the log", run(operations, committer)));
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
    min_version: MinVersion,
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

/// Commits these operations together, or if that fails in smaller groups, and answers them.
async fn commit(committer: &Committer, mut remembered: Remembered, pending: Vec<Box<dyn Pending>>) -> Remembered {
    // What is to be committed one after the other, the next one last.
    let mut groups = vec![Group { pending, again: false }];
    while let Some(Group { pending, again }) = groups.pop() {
        let count = pending.len();
        let began = Instant::now();
        let (work, result) = attempt(committer, Work { remembered, pending }).await;
        let Some(work) = work else {
            // The database has ended in the middle of it; whoever waits is told by the dropped answer.
            remembered = Remembered::default();
            continue;
        };
        remembered = work.remembered;
        match result {
            Ok(outcome) => {
                metrics::histogram!("guild_commit_batch").record(count as f64);
                metrics::counter!("guild_messages_total").increment(outcome.messages);
                tracing::trace!(operations = count, took = ?began.elapsed(), "committed");
                // First the hint, which only enters a queue, then the answers.
                committer.publisher.committed(outcome.epoch, outcome.rows);
                work.pending.into_iter().for_each(Pending::committed);
            }
            Err(error) => {
                remembered.forget();
                groups.extend(undone(work.pending, again, error));
            }
        }
    }
    remembered
}

/// Operations that are committed together.
struct Group {
    pending: Vec<Box<dyn Pending>>,
    /// Whether it is an operation that has met a conflict before.
    again: bool,
}

/// What becomes of operations whose transaction was undone: some are answered, the others are tried again in these groups, the next one last.
/// Each group is smaller than what has failed, so this ends. Where it is known which operation it was, the others cost two commits more,
/// however many they are; otherwise each half is tried.
fn undone(mut pending: Vec<Box<dyn Pending>>, again: bool, error: db::Error) -> Vec<Group> {
    let count = pending.len();
    if matches!(error, db::Error::Busy(_)) {
        // It is the database, and none of them.
        fail(pending, error);
        return Vec::new();
    }
    if count > 1 {
        tracing::warn!(operations = count, %error, "a commit failed; trying its operations in smaller groups");
    }
    let mut groups = Vec::new();
    match pending.iter().enumerate().find_map(|(at, operation)| Some((at, operation.trouble()?))) {
        Some((at, Trouble::Panicked)) => {
            groups.push(pending.split_off(at + 1));
            fail(pending.split_off(at), error);
            groups.push(pending);
        }
        // Another server, or another partition, has just written what this must not write twice; it will be found now.
        _ if count == 1 && !again && matches!(error, db::Error::Conflict(_)) => return vec![Group { pending, again: true }],
        _ if count == 1 => fail(pending, error),
        // Alone, because it may have failed for what another one had left to be written.
        Some((at, Trouble::Failed)) => {
            groups.push(pending.split_off(at + 1));
            groups.push(pending.split_off(at));
            groups.push(pending);
        }
        None => {
            groups.push(pending.split_off(count / 2));
            groups.push(pending);
        }
    }
    groups.into_iter().filter(|pending| !pending.is_empty()).map(|pending| Group { pending, again: false }).collect()
}

/// Answers that nothing of these has happened.
fn fail(pending: Vec<Box<dyn Pending>>, error: db::Error) {
    let refusal = Refusal::from(error);
    pending.into_iter().for_each(|pending| pending.failed(refusal.clone()));
}

/// One transaction. The work comes back, a panic in it or not.
async fn attempt(committer: &Committer, work: Work) -> (Option<Work>, Result<Outcome, db::Error>) {
    let slot = Arc::new(Mutex::new(Some(work)));
    let (inside, clock, db) = (Arc::clone(&slot), committer.clock.clone(), committer.db.clone());
    let (part, min_version) = (committer.part, committer.min_version.get());
    let result = committer
        .db
        .write(move |tx| {
            Box::pin(async move {
                let Some(mut work) = take(&inside) else {
                    return Err(db::Error::Failed("a batch was run twice".into()));
                };
                // Known by the time that the transaction has its connection: a new server begins a new epoch with its first one.
                let place = Place { part, epoch: db.epoch(), min_version };
                let deciding = decide_all(tx, place, &mut work.remembered, &mut work.pending, &clock);
                let result = AssertUnwindSafe(deciding).catch_unwind().await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
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
