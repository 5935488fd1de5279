//! Following a thread, from its newest message on, and stopping to follow it.

use super::root::{last_of, root};
use crate::service::Messages;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::threads::FollowThread;
use contract::hint::ThreadReadMoved;
use contract::{Answer, Caller, Refusal, RoomId, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

impl Answer<FollowThread> for Messages {
    async fn answer(&self, who: &Caller, call: FollowThread) -> Result<(), Refusal> {
        let FollowThread { room, thread, on } = call;
        let user = who.user()?.id;
        if let Some(Moved { read, end }) = self.writer()?.write(Follow { room, thread, member: user, on }).await? {
            let place = (self.partitions.of_room(room), end.load(Ordering::Relaxed));
            self.bus.publish(ThreadReadMoved { room, thread, user, read, unread: 0, place });
        }
        Ok(())
    }
}

struct Follow {
    room: RoomId,
    thread: i64,
    member: UserId,
    on: bool,
}

/// The mark has moved.
struct Moved {
    /// To here, the newest message.
    read: i64,
    /// The partition's last position after the commit.
    end: Arc<AtomicI64>,
}

impl Operation for Follow {
    /// If it moved the mark.
    type Done = Option<Moved>;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: vec![self.thread], thread_member: Some((self.thread, self.member)), ..Needs::of([self.member]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let root = root(batch, self.room, self.member, self.thread).await?;
        let key = (self.room, self.thread, self.member);
        let before = batch.thread_member(key).await?.unwrap_or_default();
        if before.following == self.on {
            return Ok(None);
        }
        // Who begins to follow has nothing unread.
        let last = last_of(&root);
        let read = Some(last).filter(|last| self.on && *last > before.read);
        batch.thread_changes().stand(key, Some(self.on), read.unwrap_or(0), last);
        Ok(read.map(|read| Moved { read, end: batch.end() }))
    }
}
