//! Who is connected here, and which rooms they are members of. One mutex, held briefly and never across an await.
//!
//! Only the log moves the registry forward: [`Registry::apply_entry`] takes the entries in position order, changes memberships and fans
//! frames out, all under the lock. So the position up to which entries have been fanned out and each socket's delivery state change
//! together. What is kept grows with the connected users and their rooms, and with nothing else. It knows a socket only as a `Transport`.

mod apply;
pub(crate) mod audience;
mod go_live;
mod load;
mod membership_changes;
mod own_changes;
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use apply::Applied;
pub(crate) use go_live::LiveOutcome;
pub(crate) use load::Loaded;
use load::Loading;
pub(crate) use socket::{Key, NewSocket};

use crate::transport::Transport;
use contract::{Cursor, RoomId, RoomKind, Time, UserId};
use membership_changes::MembershipChanges;
use socket::{DeliveryState, Socket};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// See the module.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    epoch: u64,
    /// The last position that has been applied, for each partition; empty until the log's end is known.
    positions: Vec<i64>,
    users: HashMap<UserId, UserEntry>,
    rooms: HashMap<RoomId, RoomEntry>,
    changes: MembershipChanges,
    /// When sockets' tokens end.
    expiries: BTreeSet<(Time, Key, UserId)>,
    /// Users without a socket, and since when, oldest first.
    empty: VecDeque<(Instant, UserId)>,
}

/// A user with sockets here, or who had some a moment ago.
struct UserEntry {
    load: Loading,
    /// The rooms, once loaded.
    rooms: HashSet<RoomId>,
    /// The log's positions when the rooms were read. Until all of them have been applied, the rooms may be ahead of the log.
    as_of: Vec<i64>,
    /// No entry that was applied after these positions was for this user.
    quiet_since: Vec<i64>,
    /// The last position in each partition at which the user's own state or read marks have changed.
    own_changed: Vec<i64>,
    sockets: Vec<Socket>,
    empty_since: Option<Instant>,
}

/// A room with connected members.
struct RoomEntry {
    kind: RoomKind,
    member_count: i64,
    /// The connected ones.
    members: HashSet<UserId>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's entries will be applied from here on.
    pub(crate) fn begin(&self, head: &Cursor) {
        let mut inner = self.lock();
        inner.epoch = head.epoch;
        inner.positions.clone_from(&head.positions);
    }

    /// Up to where the log has been applied; `None` until its end is known.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        let inner = self.lock();
        (!inner.positions.is_empty()).then(|| inner.cursor())
    }

    /// Whether everything up to these positions has been applied.
    pub(crate) fn covers(&self, positions: &[i64]) -> bool {
        self.lock().covers(positions)
    }

    /// The database has begun another epoch: nothing that is known here holds any more, and what the sockets have got may not be in the log.
    /// Closes all of them; the caller cuts them.
    pub(crate) fn begin_anew(&self, head: &Cursor) -> Vec<Arc<dyn Transport>> {
        let mut inner = self.lock();
        inner.epoch = head.epoch;
        inner.positions.clone_from(&head.positions);
        inner.rooms.clear();
        inner.changes = MembershipChanges::default();
        let mut cut = Vec::new();
        for user in inner.users.values_mut() {
            // A load that is under way will find that its rooms are of another epoch.
            if !user.load.is_under_way() {
                user.load = Loading::Not;
            }
            user.rooms.clear();
            user.as_of.clear();
            user.quiet_since.clear();
            user.own_changed.clear();
            for socket in &mut user.sockets {
                socket.delivery = DeliveryState::Closed;
                cut.push(Arc::clone(&socket.transport));
            }
        }
        cut
    }

    /// Whether it is known here that no entry after `from` was for this user. False where it is not known.
    pub(crate) fn has_all(&self, user: UserId, from: &Cursor) -> bool {
        self.lock().has_all(user, from)
    }

    /// Forgets the users who have had no socket since `before`.
    pub(crate) fn forget(&self, before: Instant) {
        let mut inner = self.lock();
        while let Some((since, user)) = inner.empty.front().copied().filter(|(since, _)| *since <= before) {
            inner.empty.pop_front();
            inner.forget(user, since);
        }
    }

    /// How many users are kept.
    #[cfg(test)]
    pub(crate) fn users(&self) -> usize {
        self.lock().users.len()
    }

    /// How many rooms are kept.
    #[cfg(test)]
    pub(crate) fn rooms(&self) -> usize {
        self.lock().rooms.len()
    }
}

impl UserEntry {
    /// Notes that the entry that was just applied is for this user, with or without a socket.
    fn note_entry(&mut self, here: &[i64]) {
        self.quiet_since.resize(here.len(), 0);
        self.quiet_since.iter_mut().zip(here).for_each(|(since, here)| *since = (*since).max(*here));
    }
}

impl Inner {
    fn cursor(&self) -> Cursor {
        Cursor::new(self.epoch, self.positions.clone())
    }

    fn covers(&self, positions: &[i64]) -> bool {
        self.positions.len() >= positions.len()
            && !self.positions.is_empty()
            && self.positions.iter().zip(positions).all(|(have, want)| have >= want)
    }

    fn has_all(&self, user: UserId, from: &Cursor) -> bool {
        let Some(entry) = self.users.get(&user).filter(|entry| matches!(entry.load, Loading::Done)) else { return false };
        let quiet = entry.quiet_since.len() == from.positions.len() && entry.quiet_since.iter().zip(&from.positions).all(|(q, f)| q <= f);
        quiet && from.epoch == self.epoch && self.covers(&from.positions)
    }

    /// Adds a connected user to a room.
    fn join_room(&mut self, user: UserId, room: RoomId, kind: RoomKind, member_count: i64) {
        let Some(entry) = self.users.get_mut(&user) else { return };
        entry.rooms.insert(room);
        let entry = self.rooms.entry(room).or_insert_with(|| RoomEntry { kind, member_count, members: HashSet::new() });
        entry.members.insert(user);
    }

    /// Takes a connected user out of a room.
    fn leave_room(&mut self, user: UserId, room: RoomId) {
        if let Some(entry) = self.users.get_mut(&user) {
            entry.rooms.remove(&room);
        }
        self.drop_member(user, room);
    }

    fn drop_member(&mut self, user: UserId, room: RoomId) {
        if let Some(entry) = self.rooms.get_mut(&room) {
            entry.members.remove(&user);
            if entry.members.is_empty() {
                self.rooms.remove(&room);
            }
        }
    }

    /// Forgets a user who has had no socket since `since`, unless there is one again or the rooms are being loaded.
    fn forget(&mut self, user: UserId, since: Instant) {
        match self.users.get_mut(&user) {
            Some(entry) if entry.empty_since != Some(since) => return,
            // The load will find the user without a socket; the user is put up for forgetting again.
            Some(entry) if entry.load.is_under_way() => {
                let later = Instant::now();
                entry.empty_since = Some(later);
                self.empty.push_back((later, user));
                return;
            }
            _ => {}
        }
        if let Some(entry) = self.users.remove(&user) {
            for room in entry.rooms {
                self.drop_member(user, room);
            }
        }
    }
}
