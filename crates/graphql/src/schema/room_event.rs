//! What `roomEvents` tells: each kind of durable event as a type of its own, with what a socket hears of it. The types are
//! small and alike, so they stand together, though that is a little more than 300 lines.

use super::message::Message;
use super::reaction::{Reaction, Reactions};
use super::room::Room;
use super::user::User;
use crate::batch_loader::{MessageNow, MessageRooms};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use crate::user_batch::UserBatch;
use async_graphql::{Context, Json, Object, Result, SimpleObject, Union};
use contract::log::{Amended, Event, Membership, Pinned};
use contract::{Metadata, RoomId, Username, log};
use std::sync::Arc;

/// Something durable that happened in a room. There will be more types: pass over those that you do not know.
#[derive(Union)]
pub(crate) enum RoomEvent {
    NewMessage(NewMessage),
    MessageEdited(MessageEdited),
    MessageDeleted(MessageDeleted),
    ReactionsChanged(ReactionsChanged),
    MessagePinned(MessagePinned),
    MessageUnpinned(MessageUnpinned),
    MemberJoined(MemberJoined),
    MemberLeft(MemberLeft),
    RoomUpdated(RoomUpdated),
    UnknownEvent(UnknownEvent),
}

impl RoomEvent {
    /// An event as its reader hears it, to whom the service has left the nonces of own messages only. None for one without a place in the room's
    /// order, which is addressed to one user.
    pub(crate) fn of(event: Event) -> Option<Self> {
        let (room, seq) = (event.room(), event.seq()?);
        Some(match event {
            Event::RoomCreated { .. } => return None,
            Event::NewMessage { message, .. } => {
                let place = Place::new(room, seq, message.people());
                Self::NewMessage(NewMessage { message: place.message(*message), place })
            }
            Event::MessageEdited(edited) => {
                let (change, message) = Change::of_text(*edited);
                Self::MessageEdited(MessageEdited { change, message })
            }
            Event::MessageDeleted(deleted) => {
                let reason = deleted.reason.as_ref().map(|reason| reason.as_str().to_owned());
                let (change, message) = Change::of_text(*deleted);
                Self::MessageDeleted(MessageDeleted { change, reason, message })
            }
            Event::ReactionsChanged(changed) => Self::ReactionsChanged(ReactionsChanged::new(*changed)),
            Event::MessagePinned(pinned) => Self::MessagePinned(MessagePinned { change: Change::of_pin(pinned) }),
            Event::MessageUnpinned(pinned) => Self::MessageUnpinned(MessageUnpinned { change: Change::of_pin(pinned) }),
            Event::MemberJoined(joined) => Self::MemberJoined(MemberJoined { member: Member::new(joined) }),
            Event::MemberLeft(left) => Self::MemberLeft(MemberLeft { member: Member::new(left) }),
            Event::RoomUpdated(updated) => {
                let place = Place::new(room, seq, updated.by.as_ref().map(|by| &by.username));
                Self::RoomUpdated(RoomUpdated { place, updated })
            }
            Event::Unknown(unknown) => Self::UnknownEvent(UnknownEvent { place: Place::new(room, seq, None), kind: unknown.kind }),
        })
    }
}

/// Where an event stands, and who is named in it. Its fields are every event's.
struct Place {
    room: RoomId,
    seq: i64,
    people: Arc<UserBatch>,
    whereabouts: Arc<MessageRooms>,
}

impl Place {
    fn new<'a>(room: RoomId, seq: i64, people: impl IntoIterator<Item = &'a Username>) -> Self {
        Self { room, seq, people: UserBatch::new(people.into_iter().cloned()), whereabouts: MessageRooms::one(room) }
    }

    fn message(&self, message: contract::Message) -> Message {
        Message::of_event(message, &self.people, &self.whereabouts)
    }

    async fn person(&self, ctx: &Context<'_>, name: Option<&Username>) -> Result<Option<User>> {
        let Some(name) = name else { return Ok(None) };
        User::of(&self.people, RequestContext::of(ctx)?, name).await.map(Some).map_err(refuse)
    }
}

#[Object(name = "EventPlace")]
impl Place {
    /// The room; null for one that you cannot see any more.
    async fn room(&self, ctx: &Context<'_>) -> Result<Option<Room>> {
        Room::among(&self.whereabouts, RequestContext::of(ctx)?, self.room).await.map_err(refuse)
    }

    /// The event's place in the room's order: 1, 2, 3, … over all of the room's durable events, without a gap.
    async fn seq(&self) -> i64 {
        self.seq
    }
}

/// What was done to an earlier message. Its fields are those of every event about a message.
struct Change {
    place: Place,
    ref_seq: i64,
    by: Option<Username>,
}

impl Change {
    fn of_text(Amended { room, seq, ref_seq, by, message, .. }: Amended) -> (Self, Message) {
        let by = by.username;
        let place = Place::new(room, seq, message.people().chain([&by]));
        let message = place.message(*message);
        (Self { place, ref_seq, by: Some(by) }, message)
    }

    fn of_pin(Pinned { room, seq, ref_seq, by, .. }: Pinned) -> Self {
        Self { place: Place::new(room, seq, [&by.username]), ref_seq, by: Some(by.username) }
    }
}

#[Object(name = "MessageChange")]
impl Change {
    #[graphql(flatten)]
    async fn place(&self) -> &Place {
        &self.place
    }

    /// Which message, by its seq.
    #[graphql(name = "ref")]
    async fn ref_seq(&self) -> i64 {
        self.ref_seq
    }

    /// Who did it. Null where several changes of reactions are told together, for reactions to a message that was deleted since, and with an error.
    async fn by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.place.person(ctx, self.by.as_ref()).await
    }
}

/// A message was sent.
#[derive(SimpleObject)]
pub(crate) struct NewMessage {
    #[graphql(flatten)]
    place: Place,
    /// The message as it is now.
    message: Message,
}

/// A message's text, or what belongs to it, was changed.
#[derive(SimpleObject)]
pub(crate) struct MessageEdited {
    #[graphql(flatten)]
    change: Change,
    /// The message as it is now.
    message: Message,
}

/// A message was deleted.
#[derive(SimpleObject)]
pub(crate) struct MessageDeleted {
    #[graphql(flatten)]
    change: Change,
    /// Why, if whoever deleted it said so.
    reason: Option<String>,
    /// What is left of the message.
    message: Message,
}

/// Somebody reacted to a message, or took a reaction back.
pub(crate) struct ReactionsChanged {
    change: Change,
    changed: Arc<log::ReactionsChanged>,
    now: Arc<MessageNow>,
}

impl ReactionsChanged {
    fn new(changed: log::ReactionsChanged) -> Self {
        let log::ReactionsChanged { room, seq, ref_seq, .. } = changed;
        let by = changed.change.as_ref().map(|change| change.by.username.clone());
        let change = Change { place: Place::new(room, seq, &by), ref_seq, by };
        Self { change, changed: Arc::new(changed), now: MessageNow::new(room, ref_seq) }
    }
}

/// Somebody reacted to a message, or took a reaction back.
#[Object]
impl ReactionsChanged {
    #[graphql(flatten)]
    async fn change(&self) -> &Change {
        &self.change
    }

    /// With what; null where `by` is.
    async fn emoji(&self) -> Option<&str> {
        self.changed.change.as_ref().map(|change| change.emoji.as_str())
    }

    /// Whether it was given, or taken back; null where `by` is.
    async fn on(&self) -> Option<bool> {
        self.changed.change.as_ref().map(|change| change.on)
    }

    /// The message's reactions as they are now, in the order of their first use.
    async fn reactions(&self) -> Vec<Reaction> {
        Reactions::Changed(Arc::clone(&self.changed), Arc::clone(&self.now)).each()
    }
}

/// A message was pinned.
#[derive(SimpleObject)]
pub(crate) struct MessagePinned {
    #[graphql(flatten)]
    change: Change,
}

/// A message was unpinned.
#[derive(SimpleObject)]
pub(crate) struct MessageUnpinned {
    #[graphql(flatten)]
    change: Change,
}

/// Whose membership began or ended.
struct Member {
    place: Place,
    username: Username,
}

impl Member {
    fn new(Membership { room, seq, user, .. }: Membership) -> Self {
        Self { place: Place::new(room, seq, [&user.username]), username: user.username }
    }
}

#[Object(name = "MemberChange")]
impl Member {
    #[graphql(flatten)]
    async fn place(&self) -> &Place {
        &self.place
    }

    /// Who; null only with an error.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.place.person(ctx, Some(&self.username)).await
    }
}

/// Somebody became a member, beginning with this event.
#[derive(SimpleObject)]
pub(crate) struct MemberJoined {
    #[graphql(flatten)]
    member: Member,
}

/// Somebody's membership ended, with this event.
#[derive(SimpleObject)]
pub(crate) struct MemberLeft {
    #[graphql(flatten)]
    member: Member,
}

/// The room's name, topic or metadata was changed: all three as the change has left them.
pub(crate) struct RoomUpdated {
    place: Place,
    updated: Box<log::RoomUpdated>,
}

/// The room's name, topic or metadata was changed: all three as the change has left them.
#[Object]
impl RoomUpdated {
    #[graphql(flatten)]
    async fn place(&self) -> &Place {
        &self.place
    }

    /// Who changed it; null where a server of an older version told it, and with an error.
    async fn by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.place.person(ctx, self.updated.by.as_ref().map(|by| &by.username)).await
    }

    /// The name; null for a room without one.
    async fn name(&self) -> Option<&str> {
        self.updated.name.as_ref().map(|name| name.as_str())
    }

    /// What the room is about.
    async fn topic(&self) -> Option<&str> {
        self.updated.topic.as_ref().map(|topic| topic.as_str())
    }

    /// What the application noted on it.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Option<Json<&Metadata>>> {
        let Some(metadata) = &self.updated.metadata else { return Ok(None) };
        Ok(RequestContext::of(ctx)?.tell_bytes(metadata.bytes()).then_some(Json(metadata)))
    }
}

/// Something of a kind that this server does not know, because a newer one of the cluster wrote it.
#[derive(SimpleObject)]
pub(crate) struct UnknownEvent {
    #[graphql(flatten)]
    place: Place,
    /// The number of its kind.
    kind: i64,
}

#[cfg(test)]
#[path = "room_event_tests.rs"]
mod tests;
