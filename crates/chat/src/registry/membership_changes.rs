//! Membership changes that are applied while a user's rooms are being loaded. Afterwards the loaded rooms are brought up to date with all
//! changes since, in order. The loaded rooms may contain some of them already; the result is right all the same, because the last change of
//! each room decides. Changes are kept only from the oldest load on.

use contract::{RoomId, RoomKind, UserId};
use std::collections::{BTreeMap, VecDeque};

/// A change of membership.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) room: RoomId,
    pub(crate) user: UserId,
    pub(crate) kind: ChangeKind,
    /// How many members there are after it.
    pub(crate) member_count: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// `room created`, which names the room's kind: the user is a member.
    Created(RoomKind),
    /// `member joined`, which always follows a `room created`.
    Joined,
    Left,
}

/// See the module.
#[derive(Default)]
pub(crate) struct MembershipChanges {
    changes: VecDeque<Change>,
    /// How many changes have been dropped at the front.
    dropped: u64,
    /// At which change loads began, and how many began there.
    loads: BTreeMap<u64, usize>,
}

impl MembershipChanges {
    /// A load begins: changes are kept for it from now on. Answers where it began.
    pub(crate) fn begin(&mut self) -> u64 {
        let at = self.dropped + self.changes.len() as u64;
        *self.loads.entry(at).or_default() += 1;
        at
    }

    /// Keeps a change, if a load is under way.
    pub(crate) fn push(&mut self, change: Change) {
        if !self.loads.is_empty() {
            self.changes.push_back(change);
        }
    }

    /// A load that began at `at` ends: the changes since.
    pub(crate) fn end(&mut self, at: u64) -> Vec<Change> {
        let skip = usize::try_from(at.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let changes = self.changes.iter().skip(skip).cloned().collect();
        if let Some(count) = self.loads.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                self.loads.remove(&at);
            }
        }
        let oldest = self.loads.keys().next().copied().unwrap_or(u64::MAX);
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
        Change { room: RoomId::new(), user: UserId::new(), kind: ChangeKind::Joined, member_count }
    }

    fn which(changes: &[Change]) -> Vec<i64> {
        changes.iter().map(|c| c.member_count).collect()
    }

    #[test]
    fn each_load_gets_the_changes_since_it_began_and_no_more_are_kept() {
        let mut changes = MembershipChanges::default();
        changes.push(change(1));
        assert_eq!(changes.kept(), 0);
        let first = changes.begin();
        changes.push(change(2));
        let second = changes.begin();
        let third = changes.begin();
        changes.push(change(3));
        assert_eq!(which(&changes.end(first)), [2, 3]);
        assert_eq!(changes.kept(), 1);
        assert_eq!(which(&changes.end(third)), [3]);
        changes.push(change(4));
        assert_eq!(which(&changes.end(second)), [3, 4]);
        assert_eq!(changes.kept(), 0);
        let fourth = changes.begin();
        changes.push(change(5));
        assert_eq!(which(&changes.end(fourth)), [5]);
    }
}
