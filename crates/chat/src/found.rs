//! What the messages service has said about users in rooms that this gateway does not know of; remembered for a second.

use crate::registry::audience::Standing;
use contract::{RoomId, Time, UserId};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// For how long it holds. By then the log has told this gateway, or there is nothing to tell.
const HOLDS: Duration = Duration::from_secs(1);
/// How many (user, room) pairs are remembered; past it the one that was asked about the longest time ago is forgotten.
const PAIRS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(pairs) => pairs,
    None => NonZeroUsize::MIN,
};

/// See the module.
pub(crate) struct FoundOut(Mutex<LruCache<(UserId, RoomId), (Time, Standing)>>);

impl FoundOut {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(PAIRS)))
    }

    /// What was found out less than a second ago.
    pub(crate) fn get(&self, user: UserId, room: RoomId, now: Time) -> Option<Standing> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, standing) = found.get(&(user, room)).copied()?;
        // A clock that was set back must not make it hold for long.
        (now >= at && now.since(at) < HOLDS).then_some(standing)
    }

    pub(crate) fn put(&self, user: UserId, room: RoomId, standing: Standing, now: Time) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put((user, room), (now, standing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_a_second_for_that_user_and_room() {
        let found = FoundOut::new();
        let (user, room) = (UserId::new(), RoomId::new());
        assert_eq!(found.get(user, room, Time(10_000)), None);
        found.put(user, room, Standing::Lively, Time(10_000));
        assert_eq!(found.get(user, room, Time(10_999)), Some(Standing::Lively));
        assert_eq!(found.get(user, room, Time(11_000)), None);
        assert_eq!(found.get(user, room, Time(9_999)), None);
        assert_eq!(found.get(UserId::new(), room, Time(10_000)), None);
        assert_eq!(found.get(user, RoomId::new(), Time(10_000)), None);
    }
}
