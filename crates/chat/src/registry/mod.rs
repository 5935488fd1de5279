//! Who is connected here, and to which rooms they belong. One mutex, held briefly and never across an await.
//!
//! The registry is moved forward by the log alone: [`Registry::pass`] takes the entries in position order, changes memberships and
//! hands frames out, each under the lock, so that "everything up to here has been handed out" (the positions) and "who hears what
//! comes next" (each socket's phase) change together. What is kept grows with the connected users and their rooms, with nothing
//! else. It knows no transport but for `Outbound`.

pub(crate) mod audience;
mod load;
mod pass;
mod passing;
mod phase;
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use load::Loaded;
use load::Loading;
pub(crate) use pass::Passed;
pub(crate) use phase::Begun;
pub(crate) use socket::{Key, NewSocket};

use crate::outbound::Outbound;
use contract::{Cursor, RoomId, RoomKind, Time, UserId};
use passing::Passing;
use socket::Socket;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// See the module.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    epoch: u64,
    /// The last position that has been passed, for each partition; empty until the log's head is known.
    positions: Vec<i64>,
    users: HashMap<UserId, UserEntry>,
    rooms: HashMap<RoomId, RoomEntry>,
    passing: Passing,
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
    /// Up to where the log was when they were read. Until all of that has passed, they may be ahead of it.
    as_of: Vec<i64>,
    /// Nothing that has passed after these positions was for this user.
    quiet_since: Vec<i64>,
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

    /// From here on the log's entries will be passed.
    pub(crate) fn begin(&self, head: &Cursor) {
        let mut inner = self.lock();
        inner.epoch = head.epoch;
        inner.positions.clone_from(&head.positions);
    }

    /// Up to where the log has been passed; `None` until that is known.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        let inner = self.lock();
        (!inner.positions.is_empty()).then(|| inner.cursor())
    }

    /// Whether everything up to these positions has been passed.
    pub(crate) fn covers(&self, positions: &[i64]) -> bool {
        self.lock().covers(positions)
    }

    /// The database has begun another epoch: nothing that is known here holds any more, and what the sockets have got may not be in the log.
    /// Answers all of them, which hear nothing more and are to be cut.
    pub(crate) fn begin_anew(&self, head: &Cursor) -> Vec<Arc<dyn Outbound>> {
        let mut inner = self.lock();
        inner.epoch = head.epoch;
        inner.positions.clone_from(&head.positions);
        inner.rooms.clear();
        inner.passing = Passing::default();
        let mut cut = Vec::new();
        for user in inner.users.values_mut() {
            // Whoever is reading a user's rooms finds that they are of another epoch.
            if !user.load.is_under_way() {
                user.load = Loading::Not;
            }
            user.rooms.clear();
            user.as_of.clear();
            user.quiet_since.clear();
            for socket in &mut user.sockets {
                socket.phase = socket::Phase::Over;
                cut.push(Arc::clone(&socket.out));
            }
        }
        cut
    }

    /// Whether it is known here that nothing that has passed after `from` was for this user. False where it is not known.
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
    /// Notes that what has just passed is for this user, with a socket or without.
    fn heard(&mut self, here: &[i64]) {
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

    /// Makes a connected user a member.
    fn join(&mut self, user: UserId, room: RoomId, kind: RoomKind, member_count: i64) {
        let Some(entry) = self.users.get_mut(&user) else { return };
        entry.rooms.insert(room);
        let entry = self.rooms.entry(room).or_insert_with(|| RoomEntry { kind, member_count, members: HashSet::new() });
        entry.members.insert(user);
    }

    /// Ends a connected user's membership.
    fn part(&mut self, user: UserId, room: RoomId) {
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

    /// Forgets a user who has had no socket since `since`, unless there is one again or the rooms are being read.
    fn forget(&mut self, user: UserId, since: Instant) {
        match self.users.get_mut(&user) {
            Some(entry) if entry.empty_since != Some(since) => return,
            // Whoever reads the rooms will find the user without a socket; it comes up for forgetting again.
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
