//! Deleting a message: its sender may, and in groups and channels the room's owner. It is real: what the message said goes from every table in the
//! transaction that appends the deletion. The row stays, with its seq and its nonce.

use super::target::{Target, target};
use crate::access;
use crate::service::Messages;
use crate::store::log::{Kind, LogRow, With};
use crate::store::state::MessageState;
use crate::threads;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::DeleteMessage;
use contract::{Answer, Caller, Message, Refusal, RoomId, UserId};
use std::sync::Arc;

impl Answer<DeleteMessage> for Messages {
    async fn answer(&self, who: &Caller, call: DeleteMessage) -> Result<Message, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let DeleteMessage { room, seq, reason } = call;
        let reason = reason.map(String::from).filter(|reason| !reason.is_empty());
        let deleted = self.writer()?.write(Delete { room, seq, actor: who.id, reason }).await?;
        self.resolver.message(deleted.as_ref().clone(), who.id).await
    }
}

struct Delete {
    room: RoomId,
    seq: i64,
    actor: UserId,
    reason: Option<String>,
}

impl Operation for Delete {
    type Done = Arc<LogRow>;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: vec![self.seq], ..Needs::of([self.actor]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let target = target(batch, self.room, self.actor, self.seq).await?;
        may_delete(&target, self.actor)?;
        delete(batch, target, self.actor, self.reason.clone()).await
    }
}

pub(super) fn may_delete(target: &Target, actor: UserId) -> Result<(), Refusal> {
    access::delete(target.kind, target.message.actor == actor, target.is_owner)
}

/// Deletes a message that may be deleted; one that is deleted already stays as it is.
pub(super) async fn delete(batch: &mut Batch<'_>, target: Target, actor: UserId, reason: Option<String>) -> Result<Arc<LogRow>, Denied> {
    if target.message.is_deleted() {
        return Ok(target.message);
    }
    let thread = threads::was_deleted(batch, &target.message).await?;
    let with = thread.map(|thread| Box::new(With { thread: Some(thread), ..With::default() }));
    // Another deletion of the same call may have changed the thread that begins with the message.
    let message = match target.message.seq {
        Some(seq) => batch.message(target.message.room, seq).await?.unwrap_or(target.message),
        None => target.message,
    };
    // Nothing of the earlier state stays, pin and reactions included; but a thread outlives its first message.
    let thread = message.state().and_then(|state| state.thread.clone());
    let state = MessageState { deleted: Some((batch.now(), actor)), thread, ..MessageState::default() };
    let new = NewRow { payload: reason, with, ..NewRow::new(Kind::MessageDeleted, actor) };
    batch.amend(&message, state, new).await
}
