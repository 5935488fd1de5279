//! Moving the caller's mark in a thread: never back, and not past the newest message.

use super::root::{last_of, root, thread_of};
use crate::service::Messages;
use crate::store::threads;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::ReadMark;
use contract::calls::threads::MarkThreadRead;
use contract::hint::ThreadReadMoved;
use contract::{Answer, Caller, Refusal, RoomId, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

impl Answer<MarkThreadRead> for Messages {
    async fn answer(&self, who: &Caller, call: MarkThreadRead) -> Result<ReadMark, Refusal> {
        let reader = who.user()?.id;
        if call.seq < 0 {
            return Err(Refusal::invalid("seq", "seq is a whole number, 0 or more"));
        }
        let MarkThreadRead { room, thread, seq } = call;
        let Marked { read, total, last, moved } = self.writer()?.write(Mark { room, thread, reader, seq }).await?;
        // Only the answer needs it, so it is read after the commit; and mostly everything is read.
        let unread = match read >= last {
            true => 0,
            false => {
                let threads = [((room, thread), read, total)];
                self.db.read(move |tx| Box::pin(async move { threads::unread_each(tx, &threads).await })).await?.into_iter().sum()
            }
        };
        if let Some(end) = moved {
            let place = (self.partitions.of_room(room), end.load(Ordering::Relaxed));
            self.bus.publish(ThreadReadMoved { room, thread, user: reader, read, unread, place });
        }
        Ok(ReadMark { read, unread })
    }
}

struct Mark {
    room: RoomId,
    thread: i64,
    reader: UserId,
    seq: i64,
}

/// The outcome of a mark.
struct Marked {
    /// The mark now.
    read: i64,
    /// How many messages came in the thread, and the newest one.
    total: i64,
    last: i64,
    /// If this call moved it: the partition's last position after the commit.
    moved: Option<Arc<AtomicI64>>,
}

impl Operation for Mark {
    type Done = Marked;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: vec![self.thread], thread_member: Some((self.thread, self.reader)), ..Needs::of([self.reader]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let root = root(batch, self.room, self.reader, self.thread).await?;
        let (key, last) = ((self.room, self.thread, self.reader), last_of(&root));
        let known = batch.thread_member(key).await?;
        let before = known.map_or(0, |member| member.read);
        let read = self.seq.min(last).max(before);
        if read > before {
            // To read a thread is not to follow it.
            let following = known.is_none().then_some(false);
            batch.thread_changes().stand(key, following, read, last);
        }
        let moved = (read > before).then(|| batch.end());
        Ok(Marked { read, total: thread_of(&root).total, last, moved })
    }
}
