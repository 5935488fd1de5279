//! What the writer can be given.

use super::batch::Batch;
use contract::Refusal;
use futures_util::future::BoxFuture;
use std::future::Future;
use tokio::sync::oneshot;

/// Something that changes a room. It decides inside the writer's transaction.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What the caller gets when it is on disk.
    type Done: Send + 'static;

    /// Looks, decides, and writes through `batch`. It must decide before it writes: what it has written stays written when it then
    /// refuses. It may be called again if the batch that it was in could not be committed.
    fn decide(&self, batch: &mut Batch<'_>) -> impl Future<Output = Result<Self::Done, Denied>> + Send;
}

/// Why an operation was not done.
pub(crate) enum Denied {
    /// It may not be done; the batch goes on.
    Refused(Refusal),
    /// The database failed; the batch is lost.
    Store(db::Error),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<db::Error> for Denied {
    fn from(error: db::Error) -> Self {
        Self::Store(error)
    }
}

/// An operation with its type forgotten, and whoever waits for it.
pub(super) trait Pending: Send {
    fn decide<'a, 'b: 'a>(&'a mut self, batch: &'a mut Batch<'b>) -> BoxFuture<'a, Result<(), db::Error>>;
    /// The transaction is on disk: hands the outcome over.
    fn committed(self: Box<Self>);
    /// Nothing of it happened.
    fn failed(self: Box<Self>, why: Refusal);
}

pub(super) struct Waiting<O: Operation> {
    operation: O,
    outcome: Option<Result<O::Done, Refusal>>,
    answer: oneshot::Sender<Result<O::Done, Refusal>>,
}

impl<O: Operation> Waiting<O> {
    pub(super) fn new(operation: O, answer: oneshot::Sender<Result<O::Done, Refusal>>) -> Self {
        Self { operation, outcome: None, answer }
    }
}

impl<O: Operation> Pending for Waiting<O> {
    fn decide<'a, 'b: 'a>(&'a mut self, batch: &'a mut Batch<'b>) -> BoxFuture<'a, Result<(), db::Error>> {
        Box::pin(async move {
            self.outcome = Some(match self.operation.decide(batch).await {
                Ok(done) => Ok(done),
                Err(Denied::Refused(refusal)) => Err(refusal),
                Err(Denied::Store(error)) => return Err(error),
            });
            Ok(())
        })
    }

    fn committed(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have gone; what was asked for is done all the same.
            let _ = self.answer.send(outcome);
        }
    }

    fn failed(self: Box<Self>, why: Refusal) {
        let _ = self.answer.send(Err(why));
    }
}
