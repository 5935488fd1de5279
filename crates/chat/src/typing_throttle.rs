//! How often typing is passed on: at most once a second for each user and room. That somebody has stopped is always passed on.

use contract::{RoomId, Time, UserId};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The time between two that are passed on.
const EVERY: Duration = Duration::from_secs(1);
/// How many (user, room) pairs are remembered; past it the one that was quiet the longest is forgotten.
const PAIRS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(pairs) => pairs,
    None => NonZeroUsize::MIN,
};

/// See the module.
pub(crate) struct TypingThrottle(Mutex<LruCache<(UserId, RoomId), (Time, bool)>>);

impl TypingThrottle {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(PAIRS)))
    }

    /// Whether this event is passed on.
    pub(crate) fn pass(&self, user: UserId, room: RoomId, typing: bool, now: Time) -> bool {
        let mut passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, last)) = passed.get(&(user, room)).copied() {
            let stops = last && !typing;
            // A clock that was set back must not silence anybody.
            if !stops && now >= at && now.since(at) < EVERY {
                return false;
            }
        }
        passed.put((user, room), (now, typing));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_second_and_the_last_word() {
        let throttle = TypingThrottle::new();
        let (user, room) = (UserId::new(), RoomId::new());
        let said = |typing, at| throttle.pass(user, room, typing, Time(at));
        assert!(said(true, 10_000));
        assert!(!said(true, 10_999));
        assert!(said(false, 10_999));
        assert!(!said(false, 11_000));
        assert!(!said(true, 11_500));
        assert!(said(true, 11_999));
        assert!(said(true, 5_000), "a clock set back");
        assert!(throttle.pass(user, RoomId::new(), true, Time(5_000)), "another room");
        assert!(throttle.pass(UserId::new(), room, true, Time(5_000)), "another user");
    }
}
