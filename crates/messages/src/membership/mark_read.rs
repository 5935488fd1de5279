//! Moving the caller's read mark: never back, and not past the head.

use crate::access;
use crate::service::Messages;
use crate::store::{log, mentions, state};
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::{MarkRead, ReadMark};
use contract::hint::ReadMoved;
use contract::{Answer, Caller, Refusal, RoomId, UserId, UserRef};
use db::{Error, Tx};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

impl Answer<MarkRead> for Messages {
    async fn answer(&self, who: &Caller, call: MarkRead) -> Result<ReadMark, Refusal> {
        let who = who.user()?;
        if call.seq < 0 {
            return Err(Refusal::invalid("seq", "seq is a whole number, 0 or more"));
        }
        let room = call.room;
        let marked = self.writer()?.write(Mark { room, reader: who.id, seq: call.seq }).await?;
        let Marked { read, head, messages, moved } = marked;
        let reader = who.id;
        // Only what is told needs them, so they are read after the commit.
        let counted = match read == head && moved.is_none() {
            true => Ok((messages, 0)),
            false => self.db.read(move |tx| Box::pin(counts(tx, room, reader, read, head))).await,
        };
        let mentions = counted.as_ref().ok().map(|(_, mentions)| *mentions);
        let unread = if read == head { Ok(0) } else { counted.map(|(not_unread, _)| messages - not_unread) };
        if let Some(end) = moved {
            let user = UserRef { id: who.id, username: who.username.clone() };
            let place = Some((self.partitions.of_room(room), end.load(Ordering::Relaxed)));
            self.bus.publish(ReadMoved { room, user, seq: read, unread: unread.as_ref().ok().copied(), mentions, place });
        }
        Ok(ReadMark { read, unread: unread? })
    }
}

/// How many of a room's messages are not unread for one who has read up to this seq: those up to it, and those
/// between it and the head of then that were deleted. And how many unread ones mention the reader.
async fn counts(tx: &mut Tx, room: RoomId, reader: UserId, read: i64, head: i64) -> Result<(i64, i64), Error> {
    let not_unread = log::messages_up_to(tx, room, read).await? + state::deleted_between(tx, room, read, head).await?;
    Ok((not_unread, mentions::unread(tx, room, reader, read).await?))
}

struct Mark {
    room: RoomId,
    reader: UserId,
    seq: i64,
}

/// The outcome of a mark.
struct Marked {
    /// The mark now.
    read: i64,
    /// The room's newest seq, and how many messages the room holds.
    head: i64,
    messages: i64,
    /// If this call moved it: the partition's last position after the commit.
    moved: Option<Arc<AtomicI64>>,
}

impl Operation for Mark {
    type Done = Marked;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { read_mark: Some(self.reader), ..Needs::of([]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let room = batch.room(self.room).await?.ok_or_else(Refusal::no_room)?;
        let (kind, head, messages) = (room.kind, room.head, room.messages);
        let member = batch.member(self.room, self.reader).await?.filter(|member| member.active);
        access::member_only(kind, member.is_some())?;
        let before = member.map_or(0, |member| member.read);
        let read = self.seq.min(head).max(before);
        if read > before {
            batch.mark_read(self.room, self.reader, read);
        }
        let moved = (read > before).then(|| batch.end());
        Ok(Marked { read, head, messages, moved })
    }
}
