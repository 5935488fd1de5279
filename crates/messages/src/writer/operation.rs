//! What the writer can be given.

use super::batch::Batch;
use contract::{Refusal, RoomId, UserId};
use futures_util::future::BoxFuture;
use std::future::Future;
use tokio::sync::oneshot;

/// Something that changes a room. It decides inside the writer's transaction.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What the caller gets when it is on disk.
    type Done: Send + 'static;

    /// The room that it changes, or will create. Decides which writer it goes to.
    fn room(&self) -> RoomId;

    /// What it is known to look at.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Looks, decides, and writes through `batch`. It must decide before it writes: what it has written stays written when it then
    /// refuses. It may be called again if the batch that it was in could not be committed.
    fn decide(&self, batch: &mut Batch<'_>) -> impl Future<Output = Result<Self::Done, Denied>> + Send;
}

/// What an operation is known to look at, besides its room. A batch on a database that is some way off reads it beforehand, for all of its
/// operations together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Whether this user is a member.
    pub member: Option<UserId>,
    /// Whether that user has used this nonce in the room.
    pub nonce: Option<String>,
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
    fn room(&self) -> RoomId;
    fn needs(&self) -> Needs;
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
    fn room(&self) -> RoomId {
        self.operation.room()
    }

    fn needs(&self) -> Needs {
        self.operation.needs()
    }

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
