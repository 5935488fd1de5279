//! Following a thread, from its newest message on, and stopping to follow it.

use super::root::{last_of, root};
use crate::service::Messages;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::threads::FollowThread;
use contract::{Answer, Caller, Refusal, RoomId, UserId};

impl Answer<FollowThread> for Messages {
    async fn answer(&self, who: &Caller, call: FollowThread) -> Result<(), Refusal> {
        let FollowThread { room, thread, on } = call;
        self.writer()?.write(Follow { room, thread, member: who.user()?.id, on }).await
    }
}

struct Follow {
    room: RoomId,
    thread: i64,
    member: UserId,
    on: bool,
}

impl Operation for Follow {
    type Done = ();

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
        if before.following != self.on {
            let last = last_of(&root);
            // Who begins to follow has nothing unread.
            let read = if self.on { last } else { before.read };
            batch.thread_changes().stand(key, Some(self.on), read, last);
        }
        Ok(())
    }
}
