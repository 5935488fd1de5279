//! How users come and go: the first socket of a user has the rooms read, those that come meanwhile wait for the same reading.

use super::passing::To;
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
    /// They are being read.
    UnderWay(watch::Receiver<Loaded>),
    /// Known, and kept right by the log.
    Done,
}

impl Loading {
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }
}

/// What a reading of rooms has come to.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    /// Nothing yet.
    Pending,
    /// The rooms are known.
    Done,
    /// They could not be read.
    Failed(Refusal),
}

/// The duty to read a user's rooms, and to say what has come of it; dropped, it says that they could not be read.
pub(crate) struct Ticket {
    registry: Arc<Registry>,
    user: UserId,
    /// In [`super::passing::Passing`].
    began: u64,
    tell: watch::Sender<Loaded>,
    told: bool,
}

impl Ticket {
    /// Whose rooms.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// What the reading has brought.
    pub(crate) fn done(mut self, rooms: Result<InRooms, Refusal>) {
        self.tell(rooms);
    }

    fn tell(&mut self, rooms: Result<InRooms, Refusal>) {
        self.told = true;
        let loaded = self.registry.lock().load(self.user, self.began, rooms);
        // Whoever waited may be gone.
        let _ = self.tell.send(loaded);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Err(Refusal::busy("the rooms could not be read; try again")));
        }
    }
}

impl Registry {
    /// A socket of this user is here. Where there is a receiver, wait for it to say [`Loaded::Done`]; with a ticket, read the rooms first
    /// and then call [`Ticket::done`].
    pub(crate) fn enter(self: &Arc<Self>, user: &UserRef, socket: NewSocket) -> (Option<Ticket>, Option<watch::Receiver<Loaded>>) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.expiries.insert((socket.expires_at, socket.key, user.id));
        let entry = inner.users.entry(user.id).or_insert_with(|| UserEntry {
            load: Loading::Not,
            rooms: HashSet::new(),
            as_of: Vec::new(),
            quiet_since: Vec::new(),
            sockets: Vec::with_capacity(1),
            empty_since: None,
        });
        entry.sockets.push(Socket::new(socket));
        entry.empty_since = None;
        match &entry.load {
            Loading::Done => (None, None),
            Loading::UnderWay(wait) => (None, Some(wait.clone())),
            Loading::Not => {
                let (tell, wait) = watch::channel(Loaded::Pending);
                entry.load = Loading::UnderWay(wait.clone());
                let began = inner.passing.begin();
                (Some(Ticket { registry: Arc::clone(self), user: user.id, began, tell, told: false }), Some(wait))
            }
        }
    }

    /// Up to where a user's rooms were read; `None` if they are not known.
    pub(crate) fn as_of(&self, user: UserId) -> Option<Vec<i64>> {
        let inner = self.lock();
        inner.users.get(&user).filter(|entry| matches!(entry.load, Loading::Done)).map(|entry| entry.as_of.clone())
    }

    /// A socket is gone. `now` is from when on the user counts as without any.
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

    /// From now on a socket lives by another token of the same user. False if the socket is gone.
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
        let passed = self.passing.end(began);
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
        // What has passed so far was not looked at for this user.
        entry.quiet_since.clone_from(&rooms.positions);
        entry.heard(&self.positions);
        entry.as_of = rooms.positions;
        entry.rooms.reserve(rooms.rooms.len());
        for room in rooms.rooms {
            self.join(user, room.room, room.kind, room.member_count);
        }
        for change in passed {
            if change.user == user {
                match change.to {
                    To::InOf(kind) => self.join(user, change.room, kind, change.member_count),
                    To::In => self.rejoin(user, change.room),
                    To::Out => self.part(user, change.room),
                }
            }
            if let Some(room) = self.rooms.get_mut(&change.room) {
                room.member_count = change.member_count;
            }
        }
        Loaded::Done
    }
}
