//! The message that a call is about, found by the rules that all of them share: the room exists, the caller is a member, and the room has a
//! message with this seq.

use crate::access;
use crate::membership::must_be_member;
use crate::store::log::{self, LogRow};
use crate::writer::{Batch, Denied};
use contract::{Refusal, RoomId, RoomKind, UserId};
use db::{Error, Tx};
use std::sync::Arc;

/// A message, and how the caller stands to its room.
pub(crate) struct Target {
    pub kind: RoomKind,
    /// Whether the caller owns the room.
    pub is_owner: bool,
    pub message: Arc<LogRow>,
}

impl Target {
    /// What the message is now; a state without a change if nobody has changed it.
    pub(crate) fn state(&self) -> crate::store::state::MessageState {
        self.message.state().cloned().unwrap_or_default()
    }

    /// Refuses a message that was deleted.
    pub(crate) fn must_be_there(&self) -> Result<(), Refusal> {
        if self.message.is_deleted() { Err(Refusal::conflict("this message was deleted").about("seq")) } else { Ok(()) }
    }
}

/// The one sentence for a seq that is no message's.
pub(crate) fn no_message() -> Refusal {
    Refusal::not_found("no message of this room has this seq").about("seq")
}

/// Finds the message inside the writer's transaction.
pub(crate) async fn target(batch: &mut Batch<'_>, room: RoomId, caller: UserId, seq: i64) -> Result<Target, Denied> {
    let (kind, owner) = batch.room(room).await?.map(|room| (room.kind, room.owner)).ok_or_else(Refusal::no_room)?;
    let is_member = batch.member(room, caller).await?.is_some_and(|member| member.active);
    access::member_only(kind, is_member)?;
    let message = batch.message(room, seq).await?.ok_or_else(no_message)?;
    Ok(Target { kind, is_owner: owner == caller, message })
}

/// The same for a call that only reads. Nothing is attached to the message.
pub(crate) async fn read_target(tx: &mut Tx, room: RoomId, caller: UserId, seq: i64) -> Result<Result<Target, Refusal>, Error> {
    let row = match must_be_member(tx, room, caller).await? {
        Ok(row) => row,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(message) = log::by_seq(tx, room, seq).await?.filter(LogRow::is_message) else { return Ok(Err(no_message())) };
    Ok(Ok(Target { kind: row.kind, is_owner: row.owner == caller, message: Arc::new(message) }))
}
