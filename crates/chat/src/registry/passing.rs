//! Membership changes that pass while somebody's rooms are being read. Whoever has read them applies all that has passed since, in
//! order. Some of it may be in what was read; what each room is left as is right all the same, because its last change decides.
//! Kept only from the oldest reading on.

use contract::{RoomId, RoomKind, UserId};
use std::collections::{BTreeMap, VecDeque};

/// A change of membership.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) room: RoomId,
    pub(crate) user: UserId,
    /// In, into a room of this kind where the change says so; or out.
    pub(crate) to: To,
    /// How many members there are after it.
    pub(crate) member_count: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// `room created`, which says the room's kind.
    InOf(RoomKind),
    /// `member joined`, which always follows a `room created`.
    In,
    Out,
}

#[derive(Default)]
pub(crate) struct Passing {
    changes: VecDeque<Change>,
    /// How many changes have been dropped at the front.
    dropped: u64,
    /// Where each reading began, and how many began there.
    begun: BTreeMap<u64, usize>,
}

impl Passing {
    /// A reading begins: what passes from now on is kept for it.
    pub(crate) fn begin(&mut self) -> u64 {
        let at = self.dropped + self.changes.len() as u64;
        *self.begun.entry(at).or_default() += 1;
        at
    }

    /// Keeps a change, if anybody reads.
    pub(crate) fn push(&mut self, change: Change) {
        if !self.begun.is_empty() {
            self.changes.push_back(change);
        }
    }

    /// A reading that began at `at` ends: what has passed since.
    pub(crate) fn end(&mut self, at: u64) -> Vec<Change> {
        let skip = usize::try_from(at.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let changes = self.changes.iter().skip(skip).cloned().collect();
        if let Some(count) = self.begun.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                self.begun.remove(&at);
            }
        }
        let oldest = self.begun.keys().next().copied().unwrap_or(u64::MAX);
        while self.dropped < oldest && self.changes.pop_front().is_some() {
            self.dropped += 1;
        }
        changes
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.changes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(member_count: i64) -> Change {
        Change { room: RoomId::new(), user: UserId::new(), to: To::In, member_count }
    }

    fn which(changes: &[Change]) -> Vec<i64> {
        changes.iter().map(|c| c.member_count).collect()
    }

    #[test]
    fn each_reading_gets_what_passed_since_it_began_and_no_more_is_kept() {
        let mut passing = Passing::default();
        passing.push(change(1));
        assert_eq!(passing.kept(), 0);
        let first = passing.begin();
        passing.push(change(2));
        let second = passing.begin();
        let third = passing.begin();
        passing.push(change(3));
        assert_eq!(which(&passing.end(first)), [2, 3]);
        assert_eq!(passing.kept(), 1);
        assert_eq!(which(&passing.end(third)), [3]);
        passing.push(change(4));
        assert_eq!(which(&passing.end(second)), [3, 4]);
        assert_eq!(passing.kept(), 0);
        let fourth = passing.begin();
        passing.push(change(5));
        assert_eq!(which(&passing.end(fourth)), [5]);
    }
}
