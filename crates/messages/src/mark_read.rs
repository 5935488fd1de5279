//! Moving one's read mark: never back, and not past the head.

use crate::access;
use crate::service::Messages;
use crate::store::log;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::{MarkRead, ReadMark};
use contract::hint::ReadMoved;
use contract::{Answer, Caller, Refusal, RoomId, UserId, UserRef};

impl Answer<MarkRead> for Messages {
    async fn answer(&self, who: &Caller, call: MarkRead) -> Result<ReadMark, Refusal> {
        let who = who.user()?;
        if call.seq < 0 {
            return Err(Refusal::invalid("seq", "seq is a whole number, 0 or more"));
        }
        let (mark, moved) = self.writer()?.write(Mark { room: call.room, reader: who.id, seq: call.seq }).await?;
        if moved {
            let user = UserRef { id: who.id, username: who.username.clone() };
            self.bus.publish(ReadMoved { room: call.room, user, seq: mark.read });
        }
        Ok(mark)
    }
}

struct Mark {
    room: RoomId,
    reader: UserId,
    seq: i64,
}

impl Operation for Mark {
    /// Where the mark stands, and whether this moved it.
    type Done = (ReadMark, bool);

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { member: Some(self.reader), nonce: None }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let room = batch.room(self.room).await?.ok_or_else(Refusal::no_room)?;
        let (kind, head, messages) = (room.kind, room.head, room.messages);
        let member = batch.member_now(self.room, self.reader).await?.filter(|member| member.active);
        access::member_only(kind, member.is_some())?;
        let before = member.map_or(0, |member| member.read);
        let read = self.seq.min(head).max(before);
        if read > before {
            batch.mark_read(self.room, self.reader, read);
        }
        let unread = messages - log::messages_up_to(batch.tx().await?, self.room, read).await?;
        Ok((ReadMark { read, unread }, read > before))
    }
}
