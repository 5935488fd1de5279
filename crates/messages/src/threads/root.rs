//! The message with which a thread begins, found by the rules that the calls about threads share.

use crate::access;
use crate::store::log::{self, LogRow};
use crate::store::state::ThreadState;
use crate::writer::{Batch, Denied};
use contract::{Refusal, RoomId, UserId};
use db::{Error, Tx};
use std::sync::Arc;

/// The one sentence for a seq that is no message's, or that of a message in a thread.
pub(crate) fn no_thread() -> Refusal {
    Refusal::not_found("no message of this room with a thread of its own has this seq").about("thread")
}

/// Finds it inside the writer's transaction, for a member of the room.
pub(super) async fn root(batch: &mut Batch<'_>, room: RoomId, caller: UserId, thread: i64) -> Result<Arc<LogRow>, Denied> {
    let kind = batch.room(room).await?.map(|room| room.kind).ok_or_else(Refusal::no_room)?;
    let is_member = batch.member(room, caller).await?.is_some_and(|member| member.active);
    access::member_only(kind, is_member)?;
    access::thread(kind)?;
    let root = batch.message(room, thread).await?.filter(|root| root.thread.is_none()).ok_or_else(no_thread)?;
    Ok(root)
}

/// Refuses a seq of a thread that does not exist, for a call that only reads.
pub(crate) async fn must_be_root(tx: &mut Tx, room: RoomId, thread: i64) -> Result<Result<(), Refusal>, Error> {
    let root = log::by_seq(tx, room, thread).await?.filter(|root| root.is_message() && root.thread.is_none());
    Ok(root.map(|_| ()).ok_or_else(no_thread))
}

/// What came in a thread so far; nothing in a message that nobody has answered in one.
pub(super) fn thread_of(root: &LogRow) -> ThreadState {
    root.state().and_then(|state| state.thread.as_deref()).cloned().unwrap_or_default()
}

/// The seq of the newest message of a thread that was not deleted; 0 for none.
pub(crate) fn last_of(root: &LogRow) -> i64 {
    thread_of(root).last.map_or(0, |(seq, _)| seq)
}
