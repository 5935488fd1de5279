//! How sockets come and go. The first socket of a user has the user's rooms loaded; sockets that come meanwhile wait for the same load.

use super::membership_changes::ChangeKind;
use super::socket::Socket;
use super::{Inner, Key, NewSocket, Registry, UserEntry};
use contract::calls::messages::InRooms;
use contract::{Refusal, Time, TokenId, UserId, UserRef};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// How far a user's rooms are known.
pub(crate) enum Loading {
    /// Not at all.
    Not,
    /// They are being loaded.
    UnderWay(watch::Receiver<Loaded>),
    /// Known, and kept right by the log.
    Done,
}

impl Loading {
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }
}

/// What came of loading a user's rooms.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    /// Nothing yet.
    Pending,
    /// The rooms are known.
    Done,
    /// They could not be loaded.
    Failed(Refusal),
}

/// The duty to load a user's rooms and to report the outcome. Dropped, it reports a failure.
pub(crate) struct LoadTicket {
    registry: Arc<Registry>,
    user: UserId,
    /// In [`super::membership_changes::MembershipChanges`].
    began: u64,
    outcome: watch::Sender<Loaded>,
    reported: bool,
}

impl LoadTicket {
    /// Whose rooms.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Reports the rooms that were read.
    pub(crate) fn done(mut self, rooms: Result<InRooms, Refusal>) {
        self.report(rooms);
    }

    fn report(&mut self, rooms: Result<InRooms, Refusal>) {
        self.reported = true;
        let loaded = self.registry.lock().load(self.user, self.began, rooms);
        // The sockets that waited may be gone.
        let _ = self.outcome.send(loaded);
    }
}

impl Drop for LoadTicket {
    fn drop(&mut self) {
        if !self.reported {
            self.report(Err(Refusal::busy("the rooms could not be read; try again")));
        }
    }
}

impl Registry {
    /// Adds a socket of this user. Where there is a receiver, wait for it to say [`Loaded::Done`]; with a ticket, read the rooms first and
    /// then call [`LoadTicket::done`].
    pub(crate) fn enter(self: &Arc<Self>, user: &UserRef, socket: NewSocket) -> (Option<LoadTicket>, Option<watch::Receiver<Loaded>>) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.expiries.insert((socket.expires_at, socket.key, user.id));
        let entry = inner.users.entry(user.id).or_insert_with(|| UserEntry {
            load: Loading::Not,
            rooms: HashSet::new(),
            as_of: Vec::new(),
            quiet_since: Vec::new(),
            own_changed: Vec::new(),
            sockets: Vec::with_capacity(1),
            empty_since: None,
        });
        entry.sockets.push(Socket::new(socket));
        entry.empty_since = None;
        match &entry.load {
            Loading::Done => (None, None),
            Loading::UnderWay(wait) => (None, Some(wait.clone())),
            Loading::Not => {
                let (outcome, wait) = watch::channel(Loaded::Pending);
                entry.load = Loading::UnderWay(wait.clone());
                let began = inner.changes.begin();
                (Some(LoadTicket { registry: Arc::clone(self), user: user.id, began, outcome, reported: false }), Some(wait))
            }
        }
    }

    /// The log's positions when a user's rooms were read; `None` if the rooms are not known.
    pub(crate) fn as_of(&self, user: UserId) -> Option<Vec<i64>> {
        let inner = self.lock();
        inner.users.get(&user).filter(|entry| matches!(entry.load, Loading::Done)).map(|entry| entry.as_of.clone())
    }

    /// Takes a socket out. If it was the user's last, the user has had none since `now`.
    pub(crate) fn leave(&self, user: UserId, key: Key, now: Instant) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(entry) = inner.users.get_mut(&user) else { return };
        let Some(at) = entry.sockets.iter().position(|socket| socket.key == key) else { return };
        let socket = entry.sockets.swap_remove(at);
        inner.expiries.remove(&(socket.expires_at, key, user));
        if entry.sockets.is_empty() {
            entry.empty_since = Some(now);
            inner.empty.push_back((now, user));
        }
    }

    /// From now on a socket depends on another token of the same user. False if the socket is gone.
    pub(crate) fn renew(&self, user: UserId, key: Key, token: TokenId, expires_at: Time) -> bool {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(socket) = inner.users.get_mut(&user).and_then(|entry| entry.sockets.iter_mut().find(|socket| socket.key == key)) else {
            return false;
        };
        inner.expiries.remove(&(socket.expires_at, key, user));
        inner.expiries.insert((expires_at, key, user));
        (socket.token, socket.expires_at) = (token, expires_at);
        true
    }
}

impl Inner {
    fn load(&mut self, user: UserId, began: u64, rooms: Result<InRooms, Refusal>) -> Loaded {
        let changes = self.changes.end(began);
        let Some(entry) = self.users.get_mut(&user) else { return Loaded::Failed(Refusal::busy("the user left; try again")) };
        let rooms = match rooms {
            Ok(rooms) if rooms.epoch != self.epoch => {
                entry.load = Loading::Not;
                return Loaded::Failed(Refusal::busy("the database has begun a new epoch; reconnect"));
            }
            Ok(rooms) => rooms,
            Err(refusal) => {
                entry.load = Loading::Not;
                return Loaded::Failed(refusal);
            }
        };
        entry.load = Loading::Done;
        // Nobody has looked whether entries up to here were for this user.
        entry.quiet_since.clone_from(&rooms.positions);
        entry.note_entry(&self.positions);
        entry.load_own_changes(&rooms.changed, rooms.positions.len());
        entry.as_of = rooms.positions;
        entry.rooms.reserve(rooms.rooms.len());
        for room in rooms.rooms {
            self.join_room(user, room.room, room.kind, room.member_count);
        }
        for change in changes {
            if change.user == user {
                match change.kind {
                    ChangeKind::Created(kind) => self.join_room(user, change.room, kind, change.member_count),
                    ChangeKind::Joined => self.join_known_room(user, change.room),
                    ChangeKind::Left => self.leave_room(user, change.room),
                }
            }
            if let Some(room) = self.rooms.get_mut(&change.room) {
                room.member_count = change.member_count;
            }
        }
        Loaded::Done
    }
}
