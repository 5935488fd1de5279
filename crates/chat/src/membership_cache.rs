//! A cache of memberships that this gateway does not know from the log yet, as the messages service answered. It keeps each for a second.

use crate::registry::audience::RoomMembership;
use contract::{RoomId, Time, UserId};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long an answer holds. By then the log has told this gateway, or there is nothing to tell.
const HOLDS: Duration = Duration::from_secs(1);
/// How many (user, room) pairs are remembered; past it the one that was asked about the longest time ago is forgotten.
const PAIRS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(pairs) => pairs,
    None => NonZeroUsize::MIN,
};

/// See the module.
pub(crate) struct MembershipCache(Mutex<LruCache<(UserId, RoomId), (Time, RoomMembership)>>);

impl MembershipCache {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(PAIRS)))
    }

    /// An answer that is less than a second old.
    pub(crate) fn get(&self, user: UserId, room: RoomId, now: Time) -> Option<RoomMembership> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, membership) = cache.get(&(user, room)).copied()?;
        // A clock that was set back must not make it hold for long.
        (now >= at && now.since(at) < HOLDS).then_some(membership)
    }

    pub(crate) fn put(&self, user: UserId, room: RoomId, membership: RoomMembership, now: Time) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put((user, room), (now, membership));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_a_second_for_that_user_and_room() {
        let cache = MembershipCache::new();
        let (user, room) = (UserId::new(), RoomId::new());
        assert_eq!(cache.get(user, room, Time(10_000)), None);
        cache.put(user, room, RoomMembership::SmallRoom, Time(10_000));
        assert_eq!(cache.get(user, room, Time(10_999)), Some(RoomMembership::SmallRoom));
        assert_eq!(cache.get(user, room, Time(11_000)), None);
        assert_eq!(cache.get(user, room, Time(9_999)), None);
        assert_eq!(cache.get(UserId::new(), room, Time(10_000)), None);
        assert_eq!(cache.get(user, RoomId::new(), Time(10_000)), None);
    }
}
