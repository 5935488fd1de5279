//! The log's writers, one for each partition: group commit.
//!
//! Operations wait in one queue for each partition. Its writer takes all that wait (up to [`MOST`]), lets each decide inside one
//! transaction, and answers them all after the commit. So the answer is the commit, and throughput comes from the batch. A refusal is an
//! outcome and never fails its neighbours. If the database fails a batch, or an operation panics, nothing of it has happened. Then its
//! operations are tried again in smaller groups, so that the one at fault fails alone; one that has panicked is not tried again.
//!
//! A batch that holds many bytes ends before all of its operations have decided; the others are the next batch.
//!
//! [`Operation::decide`] decides membership, nonce and seq, in the order in which operations entered the queue.

mod batch;
mod bytes;
mod cache;
mod changes;
mod denied;
mod needs;
mod operation;
mod prefetch;
mod thread_changes;
mod user_states;

pub(crate) use batch::{Batch, NewInThread, NewRow};
pub(crate) use denied::Denied;
pub(crate) use needs::Needs;
pub(crate) use operation::Operation;

use crate::log_version::MinVersion;
use crate::partitions::Partitions;
use crate::send::publish::Publisher;
use batch::{Outcome, WriteTarget};
use cache::WriterCache;
use contract::{Clock, Refusal};
use db::Db;
use futures_util::FutureExt;
use operation::{Pending, Trouble, Waiting, decide_all, panicked};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use vital::Vital;

/// Most operations in one commit. With so many, the cost of the sync is small for each, and the first has waited long enough.
const MOST: usize = 1_024;

/// Most operations that may wait. Past it the service answers `busy`.
const QUEUE: usize = 16_384;

/// A handle to the writers.
#[derive(Clone)]
pub(crate) struct Writer {
    partitions: Partitions,
    /// One for each partition.
    queues: Arc<[mpsc::Sender<Box<dyn Pending>>]>,
}

impl Writer {
    /// Starts the writers' tasks, each with the publisher that `publisher` makes for its partition. `held_back` is told when changes of
    /// reactions wait to be told. When the last handle is dropped they commit what waits, and end.
    pub(crate) fn start(
        db: &Db,
        clock: &Clock,
        vital: &Vital,
        min_version: &MinVersion,
        held_back: &Arc<Notify>,
        publisher: impl Fn(u16) -> Publisher,
    ) -> (Self, JoinSet<()>) {
        let partitions = Partitions::of(db);
        let mut tasks = JoinSet::new();
        let queues = partitions.all().map(|part| {
            let (queue, operations) = mpsc::channel(QUEUE);
            let (db, clock, min_version, held_back) = (db.clone(), clock.clone(), min_version.clone(), Arc::clone(held_back));
            let committer = Committer { part, db, clock, min_version, held_back, publisher: publisher(part) };
            tasks.spawn(vital.keep("a writer of the log", run(operations, committer)));
            queue
        });
        let queues = queues.collect();
        (Self { partitions, queues }, tasks)
    }

    /// Enters the queue at once, in the caller's order. Answers when the operation is committed or refused.
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

/// What a transaction works on. It moves into the writer's thread and comes back, even after a panic.
struct Work {
    cache: WriterCache,
    pending: Vec<Box<dyn Pending>>,
}

/// Everything that a partition's writer needs to commit.
struct Committer {
    part: u16,
    db: Db,
    clock: Clock,
    min_version: MinVersion,
    held_back: Arc<Notify>,
    publisher: Publisher,
}

async fn run(mut operations: mpsc::Receiver<Box<dyn Pending>>, committer: Committer) {
    let mut cache = WriterCache::default();
    let mut pending = Vec::new();
    while operations.recv_many(&mut pending, MOST).await > 0 {
        metrics::gauge!("guild_append_queue", "partition" => committer.part.to_string()).set(operations.len() as f64);
        cache = commit(&committer, cache, std::mem::take(&mut pending)).await;
    }
}

/// Commits these operations together, in smaller groups if that fails, and answers them.
async fn commit(committer: &Committer, mut cache: WriterCache, pending: Vec<Box<dyn Pending>>) -> WriterCache {
    // A stack: the next group is the last one.
    let mut groups = vec![Group { pending, again: false }];
    while let Some(Group { pending, again }) = groups.pop() {
        let began = Instant::now();
        let (work, result) = attempt(committer, Work { cache, pending }).await;
        let Some(mut work) = work else {
            // The database was closed meanwhile. The callers get an error, because their channels are dropped.
            cache = WriterCache::default();
            continue;
        };
        cache = work.cache;
        match result {
            Ok(outcome) => {
                let count = outcome.decided;
                let rest = work.pending.split_off(count.min(work.pending.len()));
                if !rest.is_empty() {
                    groups.push(Group { pending: rest, again: false });
                }
                metrics::histogram!("guild_commit_batch").record(count as f64);
                metrics::counter!("guild_messages_total").increment(outcome.messages);
                tracing::trace!(operations = count, took = ?began.elapsed(), "committed");
                // Publish first, which only enters a queue; then answer.
                committer.publisher.committed(outcome.committed);
                if outcome.holds_back {
                    committer.held_back.notify_one();
                }
                work.pending.into_iter().for_each(Pending::committed);
            }
            Err(error) => {
                cache.clear();
                groups.extend(undone(work.pending, again, error));
            }
        }
    }
    cache
}

/// Operations that are committed together.
struct Group {
    pending: Vec<Box<dyn Pending>>,
    /// Whether this is one operation that is tried again after a conflict.
    again: bool,
}

/// Divides operations whose transaction was undone: some are answered here, the others are tried again in the groups that this answers, the
/// next one last. Each group is smaller than the one that failed, so this ends. If the operation at fault is known, the others need two more
/// commits; otherwise each half is tried.
fn undone(mut pending: Vec<Box<dyn Pending>>, again: bool, error: db::Error) -> Vec<Group> {
    let count = pending.len();
    if matches!(error, db::Error::Busy(_)) {
        // The database is at fault, not one of them.
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
        // Another server has just written the same unique key. The second attempt will find it.
        _ if count == 1 && !again && matches!(error, db::Error::Conflict(_)) => return vec![Group { pending, again: true }],
        _ if count == 1 => fail(pending, error),
        // Tried alone: it may have failed because of another operation's pending rows.
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

/// Answers that none of these happened.
fn fail(pending: Vec<Box<dyn Pending>>, error: db::Error) {
    let refusal = Refusal::from(error);
    pending.into_iter().for_each(|pending| pending.failed(refusal.clone()));
}

/// One transaction. The work comes back, even after a panic.
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
                // Read after the transaction has its connection, because the first connection to a promoted standby begins a new epoch.
                let target = WriteTarget { part, epoch: db.epoch(), min_version };
                let deciding = decide_all(tx, target, &mut work.cache, &mut work.pending, &clock);
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
