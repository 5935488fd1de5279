//! Operations: what the writer can be given, and how it lets a batch of them decide.

use super::batch::{Batch, Outcome, WriteTarget};
use super::cache::WriterCache;
use super::denied::Denied;
use super::needs::Needs;
use contract::{Clock, Refusal, RoomId};
use db::Tx;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use tokio::sync::oneshot;

/// A change of a room. It decides inside the writer's transaction.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What the caller gets after the commit.
    type Done: Send + 'static;

    /// The room that it changes or creates. It chooses the writer. What changes only a user's own state has the user's id here.
    fn room(&self) -> RoomId;

    /// What it reads.
    fn needs(&self) -> Needs;

    /// Reads, decides and writes through `batch`. It must decide before it writes: a refusal does not undo its writes. It is called again
    /// when its batch could not be committed. If it panics, nothing of the batch is written, and it is not called again.
    fn decide(&self, batch: &mut Batch<'_>) -> impl Future<Output = Result<Self::Done, Denied>> + Send;
}

/// Why an operation could not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A statement failed.
    Failed,
    /// It panicked, and would again.
    Panicked,
}

/// An operation of any type, with its caller's channel.
pub(super) trait Pending: Send {
    fn room(&self) -> RoomId;
    fn needs(&self) -> Needs;
    fn decide<'a, 'b: 'a>(&'a mut self, batch: &'a mut Batch<'b>) -> BoxFuture<'a, Result<(), db::Error>>;
    /// What went wrong when it last decided.
    fn trouble(&self) -> Option<Trouble>;
    /// Sends the outcome to the caller: the transaction is committed.
    fn committed(self: Box<Self>);
    /// Sends a refusal to the caller: nothing of it happened.
    fn failed(self: Box<Self>, why: Refusal);
}

pub(super) struct Waiting<O: Operation> {
    operation: O,
    outcome: Option<Result<O::Done, Refusal>>,
    trouble: Option<Trouble>,
    answer: oneshot::Sender<Result<O::Done, Refusal>>,
}

impl<O: Operation> Waiting<O> {
    pub(super) fn new(operation: O, answer: oneshot::Sender<Result<O::Done, Refusal>>) -> Self {
        Self { operation, outcome: None, trouble: None, answer }
    }
}

impl<O: Operation> Pending for Waiting<O> {
    fn room(&self) -> RoomId {
        self.operation.room()
    }

    fn needs(&self) -> Needs {
        self.operation.needs()
    }

    fn decide<'a, 'b: 'a>(&'a mut self, batch: &'a mut Batch<'b>) -> BoxFuture<'a, Result<(), db::Error>> {
        Box::pin(async move {
            // Unwind safe: after a panic the transaction is undone and the cache is cleared.
            let decided = AssertUnwindSafe(self.operation.decide(batch)).catch_unwind().await;
            let (trouble, decided) = match decided {
                Ok(decided) => (Trouble::Failed, decided),
                Err(panic) => (Trouble::Panicked, Err(panicked(panic.as_ref()).into())),
            };
            (self.trouble, self.outcome) = match decided {
                Ok(done) => (None, Some(Ok(done))),
                Err(Denied::Refused(refusal)) => (None, Some(Err(refusal))),
                Err(Denied::Store(error)) => {
                    self.trouble = Some(trouble);
                    return Err(error);
                }
            };
            Ok(())
        })
    }

    fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    fn committed(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // The caller may have gone.
            let _ = self.answer.send(outcome);
        }
    }

    fn failed(self: Box<Self>, why: Refusal) {
        let _ = self.answer.send(Err(why));
    }
}

/// Lets the operations decide, in order, as many as the batch may hold, and writes what they decided.
pub(super) async fn decide_all(
    tx: &mut Tx,
    target: WriteTarget,
    cache: &mut WriterCache,
    pending: &mut [Box<dyn Pending>],
    clock: &Clock,
) -> Result<Outcome, db::Error> {
    let needs = tx.is_shared().then(|| pending.iter().map(|operation| (operation.room(), operation.needs())).collect());
    let mut batch = Batch::begin(tx, target, cache, pending.len(), needs, clock).await?;
    let mut decided = 0;
    for operation in pending {
        if decided > 0 && batch.is_full(decided) {
            break;
        }
        operation.decide(&mut batch).await?;
        decided += 1;
    }
    batch.finish(decided).await
}

/// A panic, as an error of the database that undoes the transaction.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> db::Error {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    db::Error::Failed(format!("a panic while the log was written, which undid the transaction: {}", said.unwrap_or("without a word")))
}
