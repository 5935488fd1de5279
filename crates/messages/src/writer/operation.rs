//! What the writer can be given.

use super::batch::Batch;
use contract::{Refusal, RoomId, UserId};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use tokio::sync::oneshot;

/// Something that changes a room. It decides inside the writer's transaction.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What the caller gets when it is on disk.
    type Done: Send + 'static;

    /// The room that it changes, or will create. Decides which writer it goes to.
    fn room(&self) -> RoomId;

    /// What it looks at.
    fn needs(&self) -> Needs;

    /// Looks, decides, and writes through `batch`. It must decide before it writes: what it has written stays written when it then
    /// refuses. It may be called again if the batch that it was in could not be committed. If it panics, nothing of the batch is written,
    /// and it is not called again.
    fn decide(&self, batch: &mut Batch<'_>) -> impl Future<Output = Result<Self::Done, Denied>> + Send;
}

/// What an operation looks at when it decides. A batch on a database that is some way off reads it beforehand, for all of its operations
/// together, so an operation names all of it: what it does not name costs a way to the database and back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Whether the room is to be there already: not where the operation creates it.
    pub exists: bool,
    /// How these users stand in the room.
    pub members: Vec<UserId>,
    /// Up to where this member has read. It is read even where it is remembered: another server moves read marks without a row of the log.
    pub read_mark: Option<UserId>,
    /// Whether this user has used this nonce in the room.
    pub nonce: Option<(UserId, String)>,
    /// Whether this user has created a room with this nonce.
    pub room_nonce: Option<(UserId, String)>,
    /// Whether these two have a direct room (see [`crate::store::rooms::pair`]).
    pub pair: Option<Vec<u8>>,
    /// Who has been a member the longest.
    pub heir: bool,
}

impl Needs {
    /// Of a room that is there, how these users stand in it.
    pub(crate) fn of(members: impl IntoIterator<Item = UserId>) -> Self {
        Self { exists: true, members: members.into_iter().collect(), ..Self::default() }
    }
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

/// Why an operation could not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A statement failed.
    Failed,
    /// It panicked, and would again.
    Panicked,
}

/// An operation with its type forgotten, and whoever waits for it.
pub(super) trait Pending: Send {
    fn room(&self) -> RoomId;
    fn needs(&self) -> Needs;
    fn decide<'a, 'b: 'a>(&'a mut self, batch: &'a mut Batch<'b>) -> BoxFuture<'a, Result<(), db::Error>>;
    /// What went wrong when it last decided.
    fn trouble(&self) -> Option<Trouble>;
    /// The transaction is on disk: hands the outcome over.
    fn committed(self: Box<Self>);
    /// Nothing of it happened.
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
            // What it has touched goes with the transaction, and what the writer remembers is forgotten.
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
            // Whoever asked may have gone; what was asked for is done all the same.
            let _ = self.answer.send(outcome);
        }
    }

    fn failed(self: Box<Self>, why: Refusal) {
        let _ = self.answer.send(Err(why));
    }
}

/// A panic, as an error of the database that undoes the transaction.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> db::Error {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    db::Error::Failed(format!("a panic while the log was written, which undid the transaction: {}", said.unwrap_or("without a word")))
}
