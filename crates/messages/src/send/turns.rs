//! Keeps what a sender writes in a room in order, although some of it is not ready for the writer at once: the users that a message mentions are
//! looked up first. What the same sender writes in the room meanwhile waits for it. Nothing else waits.

use contract::{RoomId, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard};

type Key = (RoomId, UserId);

/// See the module.
#[derive(Default)]
pub(crate) struct Turns(Lock<HashMap<Key, Weak<Mutex<()>>>>);

impl Turns {
    /// Waits for what this sender has written in this room before and is not ready. What is itself not ready (`is_ready` is false) keeps the answer
    /// until it is written. Turns come in the order in which the futures are first polled.
    pub(crate) async fn turn(&self, room: RoomId, sender: UserId, is_ready: bool) -> Option<OwnedMutexGuard<()>> {
        let turn = self.of((room, sender), is_ready)?;
        Some(turn.lock_owned().await)
    }

    fn of(&self, key: Key, is_ready: bool) -> Option<Arc<Mutex<()>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&key).and_then(Weak::upgrade);
        if known.is_some() || is_ready {
            return known;
        }
        // There are only as many as lookups are under way.
        all.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Mutex::new(()));
        all.insert(key, Arc::downgrade(&turn));
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn who_is_behind_what_is_not_ready_waits_and_others_do_not() {
        let (turns, room, sender) = (Turns::default(), RoomId::new(), UserId::new());
        assert!(turns.turn(room, sender, true).await.is_none(), "nothing to wait for");
        let first = turns.turn(room, sender, false).await;
        let mut second = Box::pin(turns.turn(room, sender, true));
        let mut third = Box::pin(turns.turn(room, sender, false));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert!(turns.turn(room, UserId::new(), true).await.is_none(), "another sender");
        assert!(turns.turn(RoomId::new(), sender, true).await.is_none(), "another room");
        drop(first);
        assert!(third.as_mut().now_or_never().is_none(), "not before the second");
        drop(second.await);
        drop(third.await);
        assert!(turns.turn(room, sender, true).await.is_none());
        assert!(turns.turn(room, UserId::new(), false).await.is_some());
        assert_eq!(turns.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
