//! Pinning a message to its room, and unpinning it.

use super::target::target;
use crate::access;
use crate::service::Messages;
use crate::store::log::Kind;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::Pin;
use contract::{Answer, Caller, Refusal, RoomId, UserId};

/// Most pins in a room (rich.md, "Pins").
const MOST: i64 = 100;

impl Answer<Pin> for Messages {
    async fn answer(&self, who: &Caller, call: Pin) -> Result<(), Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let Pin { room, seq, on } = call;
        self.writer()?.write(SetPin { room, seq, member: who.id, on }).await
    }
}

struct SetPin {
    room: RoomId,
    seq: i64,
    member: UserId,
    on: bool,
}

impl Operation for SetPin {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: vec![self.seq], pins: self.on, ..Needs::of([self.member]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let target = target(batch, self.room, self.member, self.seq).await?;
        access::pin(target.kind, target.is_owner)?;
        let mut state = target.state();
        if state.pinned.is_some() == self.on {
            return Ok(());
        }
        target.must_be_there()?;
        if self.on && batch.pins(self.room).await? >= MOST {
            return Err(Refusal::conflict(format!("a room has at most {MOST} pins; unpin another message first")).into());
        }
        let (seq, now) = (batch.next_seq(self.room).await?, batch.now());
        state.pinned = self.on.then_some((seq, now, self.member));
        let kind = if self.on { Kind::MessagePinned } else { Kind::MessageUnpinned };
        batch.amend(&target.message, state, NewRow::new(kind, self.member)).await?;
        Ok(())
    }
}
