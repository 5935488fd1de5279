//! What is not durable: typing, read marks, presence. It is passed on to the members of small rooms and to contacts, and dropped for a client
//! that is behind.

use crate::encode::frame;
use crate::gateway::Gateway;
use bus::{Heard, Subscription};
use contract::calls::messages::RoomsOf;
use contract::hint::{PresenceChanged, ReadMoved, Typing};
use contract::room::RoomKind;
use contract::wire::{PresenceNow, ReadNow, TypingNow, server};
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
                    Some(Heard::Missed(_)) => {}
                    None => return,
                },
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

    fn tell_typing(&self, hint: &Typing) {
        let Typing { room, user, typing } = hint;
        self.registry.tell_room(*room, Some(user.id), || {
            frame(server::TYPING, &TypingNow { room: *room, username: user.username.clone(), typing: *typing })
        });
    }

    fn tell_read(&self, hint: &ReadMoved) {
        let ReadMoved { room, user, seq } = hint;
        self.registry.tell_room(*room, None, || frame(server::READ, &ReadNow { room: *room, username: user.username.clone(), seq: *seq }));
    }

    async fn tell_presence(&self, hint: &PresenceChanged) {
        let name = if hint.online { server::USER_ONLINE } else { server::USER_OFFLINE };
        let Some(frame) = frame(name, &PresenceNow { username: hint.user.username.clone() }) else { return };
        if self.registry.tell_contacts(hint.user.id, &frame) {
            return;
        }
        // The user is at another gateway.
        match self.ask(RoomsOf { user: hint.user.id }).await {
            Ok(rooms) => {
                let rooms: Vec<_> = rooms.rooms.iter().filter(|room| room.kind != RoomKind::Channel).map(|room| room.room).collect();
                self.registry.tell_contacts_in(hint.user.id, &rooms, &frame);
            }
            Err(refusal) => tracing::warn!(user = %hint.user.username, %refusal, "contacts could not be found and are not told"),
        }
    }
}
