//! Who hears what is not in the log: typing, read marks, presence; and whose sockets are to be cut.

use super::socket::Phase;
use super::{Inner, Loading, Registry};
use crate::outbound::Outbound;
use contract::hint::Revoked;
use contract::{RoomId, Time, TokenId, UserId};
use socketio::Frame;
use std::collections::HashSet;
use std::sync::Arc;

/// What a typist needs to know about a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not in it, as far as is known here.
    Outside,
    /// A member of a room that carries typing.
    Lively,
    /// A member of a room that is too large for it.
    Crowd,
}

impl Registry {
    /// How a connected user stands to a room.
    pub(crate) fn standing(&self, user: UserId, room: RoomId) -> Standing {
        match self.lock().rooms.get(&room) {
            Some(entry) if !entry.members.contains(&user) => Standing::Outside,
            Some(entry) if entry.member_count <= contract::room::LIVELY_MEMBERS => Standing::Lively,
            Some(_) => Standing::Crowd,
            None => Standing::Outside,
        }
    }

    /// Tells the connected members of a room, where it is small enough for what may be lost; all but `except`.
    pub(crate) fn tell_room(&self, room: RoomId, except: Option<UserId>, frame: impl FnOnce() -> Option<Frame>) {
        let inner = self.lock();
        let Some(entry) = inner.rooms.get(&room).filter(|entry| entry.member_count <= contract::room::LIVELY_MEMBERS) else { return };
        let Some(frame) = frame() else { return };
        for member in entry.members.iter().filter(|member| Some(**member) != except) {
            inner.tell(*member, &frame);
        }
    }

    /// Tells the connected contacts of a user whose rooms are known here. False if they are not.
    pub(crate) fn tell_contacts(&self, user: UserId, frame: &Frame) -> bool {
        let inner = self.lock();
        let Some(entry) = inner.users.get(&user).filter(|entry| matches!(entry.load, Loading::Done)) else { return false };
        inner.tell_contacts(user, entry.rooms.iter(), frame);
        true
    }

    /// Tells the connected contacts of a user who is in these rooms.
    pub(crate) fn tell_contacts_in(&self, user: UserId, rooms: &[RoomId], frame: &Frame) {
        self.lock().tell_contacts(user, rooms.iter(), frame);
    }

    /// Takes the sockets whose tokens are said to have ended; they hear nothing any more.
    pub(crate) fn take_revoked(&self, revoked: &Revoked) -> Vec<Arc<dyn Outbound>> {
        let mut inner = self.lock();
        match revoked {
            Revoked::Tokens(tokens) => {
                let tokens: HashSet<TokenId> = tokens.iter().copied().collect();
                inner.users.values_mut().flat_map(|entry| take(&mut entry.sockets, |socket| tokens.contains(&socket.token))).collect()
            }
            Revoked::User { user, except } => {
                let Some(entry) = inner.users.get_mut(user) else { return Vec::new() };
                take(&mut entry.sockets, |socket| Some(socket.token) != *except).collect()
            }
            Revoked::AskAgain => Vec::new(),
        }
    }

    /// Takes the sockets whose tokens have ended by `now`.
    pub(crate) fn take_expired(&self, now: Time) -> Vec<Arc<dyn Outbound>> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut expired = Vec::new();
        while let Some((_, key, user)) = inner.expiries.first().copied().filter(|(at, _, _)| *at <= now) {
            inner.expiries.pop_first();
            if let Some(entry) = inner.users.get_mut(&user) {
                expired.extend(take(&mut entry.sockets, |socket| socket.key == key));
            }
        }
        expired
    }

    /// The tokens by which sockets live, and whose they are.
    pub(crate) fn tokens(&self) -> Vec<(TokenId, UserId)> {
        let inner = self.lock();
        let all = inner.users.iter().flat_map(|(user, entry)| entry.sockets.iter().map(|socket| (socket.token, *user)));
        all.collect::<HashSet<_>>().into_iter().collect()
    }
}

impl Inner {
    fn tell(&self, user: UserId, frame: &Frame) {
        if let Some(entry) = self.users.get(&user) {
            entry.sockets.iter().for_each(|socket| socket.tell(frame));
        }
    }

    fn tell_contacts<'a>(&self, user: UserId, rooms: impl Iterator<Item = &'a RoomId>, frame: &Frame) {
        let rooms = rooms.filter_map(|room| self.rooms.get(room)).filter(|room| room.kind.makes_contacts(room.member_count));
        // Each once, however many rooms are shared.
        let contacts: HashSet<UserId> = rooms.flat_map(|room| room.members.iter().copied()).filter(|contact| *contact != user).collect();
        contacts.into_iter().for_each(|contact| self.tell(contact, frame));
    }
}

/// Ends the sockets that match, and hands their ways out to whoever cuts them.
fn take(sockets: &mut [super::Socket], which: impl Fn(&super::Socket) -> bool) -> impl Iterator<Item = Arc<dyn Outbound>> {
    sockets.iter_mut().filter(move |socket| which(socket)).map(|socket| {
        socket.phase = Phase::Over;
        Arc::clone(&socket.out)
    })
}
