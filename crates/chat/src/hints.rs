//! What is not durable: typing, read marks, presence, profiles. It is passed on to the members of small rooms and to contacts, and dropped
//! for a client that is behind.

use crate::encode::frame;
use crate::gateway::Gateway;
use bus::{Heard, Subscription};
use contract::UserId;
use contract::calls::messages::RoomsOf;
use contract::hint::{PresenceChanged, ReadMoved, ThreadReadMoved, Typing, UserChanged};
use contract::room::RoomKind;
use contract::wire::{PresenceNow, ReadNow, ThreadReadNow, TypingNow, UserUpdated, server};
use socketio::Frame;
use std::sync::Arc;

impl Gateway {
    /// Passes typing and read marks on.
    pub(crate) async fn hear_rooms(self: Arc<Self>, mut typing: Subscription<Typing>, mut read: Subscription<ReadMoved>) {
        loop {
            tokio::select! {
                heard = typing.next() => match heard {
                    Some(Heard::Hint(hint)) => self.tell_typing(&hint),
                    Some(Heard::Missed(_)) => {}
                    None => return,
                },
                heard = read.next() => match heard {
                    Some(Heard::Hint(hint)) => self.tell_read(&hint),
                    Some(Heard::Missed(_)) => self.registry.note_lost_marks(),
                    None => return,
                },
            }
        }
    }

    /// Passes marks in threads on.
    pub(crate) async fn hear_threads(self: Arc<Self>, mut read: Subscription<ThreadReadMoved>) {
        while let Some(heard) = read.next().await {
            let Heard::Hint(hint) = heard else {
                self.registry.note_lost_marks();
                continue;
            };
            let ThreadReadMoved { room, thread, user, read, unread, place } = *hint;
            self.registry.note_own_change(user, place);
            if let Some(frame) = frame(server::THREAD_READ, &ThreadReadNow { room, thread, read, unread }) {
                self.registry.tell_user(user, &frame);
            }
        }
    }

    /// Passes presence on.
    pub(crate) async fn hear_presence(self: Arc<Self>, mut presence: Subscription<PresenceChanged>) {
        while let Some(heard) = presence.next().await {
            if let Heard::Hint(hint) = heard {
                self.tell_presence(&hint).await;
            }
        }
    }

    /// Passes on what users say of themselves.
    pub(crate) async fn hear_profiles(self: Arc<Self>, mut changed: Subscription<UserChanged>) {
        while let Some(heard) = changed.next().await {
            if let Heard::Hint(hint) = heard {
                self.tell_profile(&hint).await;
            }
        }
    }

    fn tell_typing(&self, hint: &Typing) {
        let Typing { room, user, typing } = hint;
        self.registry.tell_room(*room, Some(user.id), || {
            frame(server::TYPING, &TypingNow { room: *room, username: user.username.clone(), typing: *typing })
        });
    }

    fn tell_read(&self, hint: &ReadMoved) {
        let ReadMoved { room, user, seq, unread, mentions, place } = hint;
        if let Some(place) = place {
            self.registry.note_own_change(user.id, *place);
        }
        let told =
            |unread, mentions| frame(server::READ, &ReadNow { room: *room, username: user.username.clone(), seq: *seq, unread, mentions });
        self.registry.tell_room(*room, Some(user.id), || told(None, None));
        // How much is unread is for the user alone; so it is told in large rooms, too.
        if let Some(frame) = told(*unread, *mentions) {
            self.registry.tell_user(user.id, &frame);
        }
    }

    async fn tell_presence(&self, hint: &PresenceChanged) {
        let name = if hint.online { server::USER_ONLINE } else { server::USER_OFFLINE };
        let Some(frame) = frame(name, &PresenceNow { username: hint.user.username.clone() }) else { return };
        self.tell_contacts(hint.user.id, &frame).await;
    }

    async fn tell_profile(&self, hint: &UserChanged) {
        let Some(user) = hint.now.clone() else { return };
        let Some(frame) = frame(server::USER_UPDATED, &UserUpdated { user }) else { return };
        self.registry.tell_user(hint.user, &frame);
        self.tell_contacts(hint.user, &frame).await;
    }

    async fn tell_contacts(&self, user: UserId, frame: &Frame) {
        if self.registry.tell_contacts(user, frame) {
            return;
        }
        // The user is at another gateway, or at none.
        match self.ask(RoomsOf { user }).await {
            Ok(rooms) => {
                let rooms: Vec<_> = rooms.rooms.iter().filter(|room| room.kind != RoomKind::Channel).map(|room| room.room).collect();
                self.registry.tell_contacts_in(user, &rooms, frame);
            }
            Err(refusal) => tracing::warn!(%user, %refusal, "contacts could not be found and are not told"),
        }
    }
}
