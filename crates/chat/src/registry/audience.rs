//! Who gets what is not in the log (typing, read marks, presence, profiles), and whose sockets are cut with their tokens.

use super::socket::DeliveryState;
use super::{Inner, Loading, Registry};
use crate::transport::Transport;
use contract::hint::Revoked;
use contract::{RoomId, Time, TokenId, UserId};
use socketio::Frame;
use std::collections::HashSet;
use std::sync::Arc;

/// Whether a user is in a room, and whether that is small enough for typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomMembership {
    /// Not a member, as far as is known here.
    NotMember,
    /// A member of a room in which typing is passed on.
    SmallRoom,
    /// A member of a room that is too large for it.
    LargeRoom,
}

impl Registry {
    /// Whether a connected user is in a room.
    pub(crate) fn membership(&self, user: UserId, room: RoomId) -> RoomMembership {
        match self.lock().rooms.get(&room) {
            Some(entry) if !entry.members.contains(&user) => RoomMembership::NotMember,
            Some(entry) if entry.member_count <= contract::room::LIVELY_MEMBERS => RoomMembership::SmallRoom,
            Some(_) => RoomMembership::LargeRoom,
            None => RoomMembership::NotMember,
        }
    }

    /// Tells the connected members of a small room, all but `except`. Large rooms get nothing that may be lost.
    pub(crate) fn tell_room(&self, room: RoomId, except: Option<UserId>, frame: impl FnOnce() -> Option<Frame>) {
        let inner = self.lock();
        let Some(entry) = inner.rooms.get(&room).filter(|entry| entry.member_count <= contract::room::LIVELY_MEMBERS) else { return };
        let Some(frame) = frame() else { return };
        for member in entry.members.iter().filter(|member| Some(**member) != except) {
            inner.send_losable(*member, &frame);
        }
    }

    /// Tells a user's own sockets.
    pub(crate) fn tell_user(&self, user: UserId, frame: &Frame) {
        self.lock().send_losable(user, frame);
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

    /// Closes the sockets whose tokens are revoked; the caller cuts them.
    pub(crate) fn take_revoked(&self, revoked: &Revoked) -> Vec<Arc<dyn Transport>> {
        let mut inner = self.lock();
        match revoked {
            Revoked::Tokens(tokens) => {
                let tokens: HashSet<TokenId> = tokens.iter().copied().collect();
                inner.users.values_mut().flat_map(|entry| close(&mut entry.sockets, |socket| tokens.contains(&socket.token))).collect()
            }
            Revoked::User { user, except } => {
                let Some(entry) = inner.users.get_mut(user) else { return Vec::new() };
                close(&mut entry.sockets, |socket| Some(socket.token) != *except).collect()
            }
            Revoked::AskAgain => Vec::new(),
        }
    }

    /// Closes the sockets whose tokens have expired by `now`; the caller cuts them.
    pub(crate) fn take_expired(&self, now: Time) -> Vec<Arc<dyn Transport>> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut expired = Vec::new();
        while let Some((_, key, user)) = inner.expiries.first().copied().filter(|(at, _, _)| *at <= now) {
            inner.expiries.pop_first();
            if let Some(entry) = inner.users.get_mut(&user) {
                expired.extend(close(&mut entry.sockets, |socket| socket.key == key));
            }
        }
        expired
    }

    /// The tokens that sockets depend on, and whose they are.
    pub(crate) fn tokens(&self) -> Vec<(TokenId, UserId)> {
        let inner = self.lock();
        let all = inner.users.iter().flat_map(|(user, entry)| entry.sockets.iter().map(|socket| (socket.token, *user)));
        all.collect::<HashSet<_>>().into_iter().collect()
    }
}

impl Inner {
    fn send_losable(&self, user: UserId, frame: &Frame) {
        if let Some(entry) = self.users.get(&user) {
            entry.sockets.iter().for_each(|socket| socket.send_losable(frame));
        }
    }

    fn tell_contacts<'a>(&self, user: UserId, rooms: impl Iterator<Item = &'a RoomId>, frame: &Frame) {
        let rooms = rooms.filter_map(|room| self.rooms.get(room)).filter(|room| room.kind.makes_contacts(room.member_count));
        // Each contact once, however many rooms are shared.
        let contacts: HashSet<UserId> = rooms.flat_map(|room| room.members.iter().copied()).filter(|contact| *contact != user).collect();
        contacts.into_iter().for_each(|contact| self.send_losable(contact, frame));
    }
}

/// Closes the sockets that match, and answers their transports.
fn close(sockets: &mut [super::Socket], which: impl Fn(&super::Socket) -> bool) -> impl Iterator<Item = Arc<dyn Transport>> {
    sockets.iter_mut().filter(move |socket| which(socket)).map(|socket| {
        socket.delivery = DeliveryState::Closed;
        Arc::clone(&socket.transport)
    })
}
