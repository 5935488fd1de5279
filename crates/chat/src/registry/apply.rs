//! Applies one entry of the log: it changes memberships, and is fanned out to the members of its room at that point of the log.

use super::membership_changes::{Change, ChangeKind};
use super::socket::{Pushed, Socket};
use super::{Inner, Loading, Registry};
use crate::encode::Frames;
use crate::transport::Transport;
use contract::log::{Entry, Event, Membership};
use contract::{RoomId, UserId};
use socketio::Frame;
use std::sync::Arc;

/// What came of the entries of a batch.
#[derive(Default)]
pub(crate) struct Applied {
    /// How often an entry was handed to a socket.
    pub(crate) deliveries: u64,
    /// Sockets that could not take one. They get nothing any more, and the caller cuts them.
    pub(crate) slow: Vec<Arc<dyn Transport>>,
}

impl Registry {
    /// Applies the next entry of a partition. The caller keeps their order and leaves none out.
    pub(crate) fn apply_entry(&self, partition: u16, entry: &Entry, applied: &mut Applied) {
        let mut inner = self.lock();
        let partition = usize::from(partition);
        let Some(position) = inner.positions.get_mut(partition) else { return };
        *position = entry.position;
        inner.apply(entry, applied);
    }
}

impl Inner {
    fn apply(&mut self, entry: &Entry, applied: &mut Applied) {
        match &entry.event {
            Event::RoomCreated { reader, room } => {
                let (kind, member_count) = (ChangeKind::Created(room.kind), room.member_count);
                self.changes.push(Change { room: room.id, user: reader.id, kind, member_count });
                if self.knows(reader.id) {
                    self.join_room(reader.id, room.id, room.kind, room.member_count);
                }
                self.send_to_user(reader.id, entry, applied);
            }
            Event::MemberJoined(joined) => {
                self.note_change(joined, ChangeKind::Joined);
                if self.knows(joined.user.id) {
                    self.join_known_room(joined.user.id, joined.room);
                }
                self.fan_out(joined.room, entry, applied);
            }
            Event::MemberLeft(left) => {
                self.note_change(left, ChangeKind::Left);
                self.fan_out(left.room, entry, applied);
                if self.knows(left.user.id) {
                    self.leave_room(left.user.id, left.room);
                }
            }
            Event::NewMessage { message, .. } => self.fan_out(message.room, entry, applied),
            Event::RoomUpdated(_)
            | Event::MessageEdited(_)
            | Event::MessageDeleted(_)
            | Event::ReactionsChanged(_)
            | Event::MessagePinned(_)
            | Event::MessageUnpinned(_) => self.fan_out(entry.event.room(), entry, applied),
            Event::Unknown(unknown) => match (&unknown.reader, unknown.seq) {
                (Some(reader), _) => self.send_to_user(reader.id, entry, applied),
                (None, Some(_)) => self.fan_out(unknown.room, entry, applied),
                // It is addressed to nobody that this program can name.
                (None, None) => {}
            },
        }
    }

    /// Whether this user's rooms are known here. They may be known as of a later position than this one. Then the user's sockets are not live yet
    /// (see `resume.rs`), and the rooms are right again once that position has been applied.
    fn knows(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|entry| matches!(entry.load, Loading::Done))
    }

    fn note_change(&mut self, membership: &Membership, kind: ChangeKind) {
        let Membership { room, user, member_count, .. } = membership;
        self.changes.push(Change { room: *room, user: user.id, kind, member_count: *member_count });
        if let Some(room) = self.rooms.get_mut(&membership.room) {
            room.member_count = membership.member_count;
        }
    }

    /// A `member joined` follows a `room created` for the same user, which has named the room's kind and has added the user already.
    pub(super) fn join_known_room(&mut self, user: UserId, room: RoomId) {
        if let Some(known) = self.rooms.get_mut(&room)
            && let Some(entry) = self.users.get_mut(&user)
        {
            entry.rooms.insert(room);
            known.members.insert(user);
        }
    }

    /// Sends an entry to every socket of one user.
    fn send_to_user(&mut self, reader: UserId, entry: &Entry, applied: &mut Applied) {
        let mut frames = Frames::new(entry, self.cursor().to_string());
        if let Some(user) = self.users.get_mut(&reader) {
            user.note_entry(&self.positions);
            push_to(reader, &mut user.sockets, &mut frames, applied);
        }
    }

    /// Sends an entry to every socket of every member.
    fn fan_out(&mut self, room: RoomId, entry: &Entry, applied: &mut Applied) {
        let Some(room) = self.rooms.get(&room) else { return };
        let cursor = contract::Cursor::new(self.epoch, self.positions.clone());
        let mut frames = Frames::new(entry, cursor.to_string());
        for member in &room.members {
            if let Some(user) = self.users.get_mut(member) {
                user.note_entry(&self.positions);
                push_to(*member, &mut user.sockets, &mut frames, applied);
            }
        }
    }
}

fn push_to(user: UserId, sockets: &mut [Socket], frames: &mut Frames<'_>, applied: &mut Applied) {
    if sockets.is_empty() {
        return;
    }
    let Some(frame) = frames.of(user) else { return };
    for socket in sockets {
        push_frame(socket, frame, applied);
    }
}

pub(super) fn push_frame(socket: &mut Socket, frame: &Frame, applied: &mut Applied) {
    match socket.push(frame) {
        Pushed::Taken => applied.deliveries += 1,
        Pushed::Ignored => {}
        Pushed::Slow => applied.slow.push(Arc::clone(&socket.transport)),
    }
}
