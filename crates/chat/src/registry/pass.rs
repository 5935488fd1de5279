//! One entry of the log passes: memberships change in its order, and whoever was a member at its place gets it.

use super::passing::{Change, To};
use super::socket::{Pushed, Socket};
use super::{Inner, Loading, Registry};
use crate::encode::Frames;
use crate::outbound::Outbound;
use contract::log::{Entry, Event, Membership};
use contract::{RoomId, UserId};
use std::sync::Arc;

/// What came of an entry.
#[derive(Default)]
pub(crate) struct Passed {
    /// How many sockets it was handed to.
    pub(crate) deliveries: u64,
    /// Sockets that could not take it. They get nothing any more and must be cut.
    pub(crate) slow: Vec<Arc<dyn Outbound>>,
}

impl Registry {
    /// Passes the next entry of a partition. The caller keeps their order and leaves none out.
    pub(crate) fn pass(&self, partition: u16, entry: &Entry, passed: &mut Passed) {
        let mut inner = self.lock();
        let partition = usize::from(partition);
        let Some(position) = inner.positions.get_mut(partition) else { return };
        *position = entry.position;
        inner.pass(entry, passed);
    }
}

impl Inner {
    fn pass(&mut self, entry: &Entry, passed: &mut Passed) {
        match &entry.event {
            Event::RoomCreated { reader, room } => {
                let (to, member_count) = (To::InOf(room.kind), room.member_count);
                self.passing.push(Change { room: room.id, user: reader.id, to, member_count });
                if self.knows(reader.id) {
                    self.join(reader.id, room.id, room.kind, room.member_count);
                }
                self.hand_to_one(reader.id, entry, passed);
            }
            Event::MemberJoined(joined) => {
                self.count(joined, To::In);
                if self.knows(joined.user.id) {
                    self.rejoin(joined.user.id, joined.room);
                }
                self.hand_out(joined.room, entry, passed);
            }
            Event::MemberLeft(left) => {
                self.count(left, To::Out);
                self.hand_out(left.room, entry, passed);
                if self.knows(left.user.id) {
                    self.part(left.user.id, left.room);
                }
            }
            Event::NewMessage { message, .. } => self.hand_out(message.room, entry, passed),
            Event::RoomUpdated { room, .. } => self.hand_out(*room, entry, passed),
            Event::Unknown(unknown) => match (&unknown.reader, unknown.seq) {
                (Some(reader), _) => self.hand_to_one(reader.id, entry, passed),
                (None, Some(_)) => self.hand_out(unknown.room, entry, passed),
                // It is addressed to nobody that this program can name.
                (None, None) => {}
            },
        }
    }

    /// Whether this user's rooms are known here. They may be known as of a later place than this one; then nobody hears them yet (see
    /// `resume.rs`), and they are right again once that place is passed.
    fn knows(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|entry| matches!(entry.load, Loading::Done))
    }

    fn count(&mut self, membership: &Membership, to: To) {
        let Membership { room, user, member_count, .. } = membership;
        self.passing.push(Change { room: *room, user: user.id, to, member_count: *member_count });
        if let Some(room) = self.rooms.get_mut(&membership.room) {
            room.member_count = membership.member_count;
        }
    }

    /// A `member joined` follows a `room created` for the same user, which has told the room's kind; it adds nothing then.
    pub(super) fn rejoin(&mut self, user: UserId, room: RoomId) {
        if let Some(known) = self.rooms.get_mut(&room)
            && let Some(entry) = self.users.get_mut(&user)
        {
            entry.rooms.insert(room);
            known.members.insert(user);
        }
    }

    /// Hands an entry to every socket of one user.
    fn hand_to_one(&mut self, reader: UserId, entry: &Entry, passed: &mut Passed) {
        let mut frames = Frames::new(entry, self.cursor().to_string());
        if let Some(user) = self.users.get_mut(&reader) {
            user.heard(&self.positions);
            hand_to(reader, &mut user.sockets, &mut frames, passed);
        }
    }

    /// Hands an entry to every socket of every member.
    fn hand_out(&mut self, room: RoomId, entry: &Entry, passed: &mut Passed) {
        let Some(room) = self.rooms.get(&room) else { return };
        let cursor = contract::Cursor::new(self.epoch, self.positions.clone());
        let mut frames = Frames::new(entry, cursor.to_string());
        for member in &room.members {
            if let Some(user) = self.users.get_mut(member) {
                user.heard(&self.positions);
                hand_to(*member, &mut user.sockets, &mut frames, passed);
            }
        }
    }
}

fn hand_to(user: UserId, sockets: &mut [Socket], frames: &mut Frames<'_>, passed: &mut Passed) {
    if sockets.is_empty() {
        return;
    }
    let Some(frame) = frames.of(user) else { return };
    for socket in sockets {
        match socket.push(frame) {
            Pushed::Taken => passed.deliveries += 1,
            Pushed::Ignored => {}
            Pushed::Slow => passed.slow.push(Arc::clone(&socket.out)),
        }
    }
}
