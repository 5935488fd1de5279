//! Deleting several messages of a room in one transaction: all of them, or none.

use super::delete::{delete, may_delete};
use super::target::target;
use crate::service::Messages;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::DeleteMessages;
use contract::{Answer, Caller, Refusal, RoomId, UserId};
use std::collections::BTreeSet;

/// Most messages at once (rich.md, "Delete").
const MOST: usize = 100;

impl Answer<DeleteMessages> for Messages {
    async fn answer(&self, who: &Caller, call: DeleteMessages) -> Result<Vec<i64>, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        if !(1..=MOST).contains(&call.seqs.len()) {
            return Err(Refusal::invalid("seqs", format!("seqs: 1 to {MOST} at once, these are {}", call.seqs.len())));
        }
        let seqs = call.seqs.into_iter().collect();
        self.writer()?.write(DeleteMany { room: call.room, seqs, actor: who.id }).await
    }
}

struct DeleteMany {
    room: RoomId,
    seqs: BTreeSet<i64>,
    actor: UserId,
}

impl Operation for DeleteMany {
    /// The seqs of the messages that it deleted.
    type Done = Vec<i64>;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: self.seqs.iter().copied().collect(), ..Needs::of([self.actor]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let mut targets = Vec::new();
        for seq in &self.seqs {
            match target(batch, self.room, self.actor, *seq).await {
                Ok(target) if target.message.is_deleted() => {}
                Ok(target) => {
                    may_delete(&target, self.actor)?;
                    targets.push((*seq, target));
                }
                Err(Denied::Refused(refusal)) if refusal.field.as_deref() == Some("seq") => {}
                Err(denied) => return Err(denied),
            }
        }
        let mut deleted = Vec::with_capacity(targets.len());
        for (seq, target) in targets {
            delete(batch, target, self.actor, None).await?;
            deleted.push(seq);
        }
        Ok(deleted)
    }
}
