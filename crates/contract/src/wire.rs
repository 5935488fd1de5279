//! What goes over a Socket.IO connection: the events that a client emits, what their acknowledgements add to `{ok: true}`, and the
//! events that the server emits. Each carries exactly one object. Requests take unknown fields, which acknowledgements warn of; clients must
//! take them too.
//!
//! A client may say who it is (`sender`, `username`), as the first clients of this service did; a name that is not its own is refused
//! ([`crate::claimed`]).

use crate::calls::messages::{Rich, RoomHead};
use crate::calls::state::{Mark, StateNow};
use crate::claiming;
use crate::log::Event;
use crate::message::Mentions;
use crate::{
    Body, Claimed, Claims, Code, Emoji, Format, Message, MessageType, Metadata, NewRoomName, Nonce, Patch, Reaction, Reason, Refusal, Room,
    RoomId, RoomKind, RoomName, Stamp, StateKey, StateValue, Topic, User, Username, Warning,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Names of the events that clients emit.
pub mod client {
    #![allow(missing_docs)]
    pub const AUTHENTICATE: &str = "authenticate";
    pub const CREATE_ROOM: &str = "create room";
    pub const MESSAGE: &str = "message";
    pub const EDIT_MESSAGE: &str = "edit message";
    pub const DELETE_MESSAGE: &str = "delete message";
    pub const REACT: &str = "react";
    pub const PIN_MESSAGE: &str = "pin message";
    pub const UNPIN_MESSAGE: &str = "unpin message";
    pub const JOIN_ROOM: &str = "join room";
    pub const LEAVE_ROOM: &str = "leave room";
    pub const READ: &str = "read";
    pub const TYPING: &str = "typing";
}

/// Names of the events that the server emits.
pub mod server {
    #![allow(missing_docs)]
    pub const READY: &str = "ready";
    pub const ROOM_CREATED: &str = "room created";
    pub const NEW_MESSAGE: &str = "new message";
    pub const MEMBER_JOINED: &str = "member joined";
    pub const MEMBER_LEFT: &str = "member left";
    pub const ROOM_UPDATED: &str = "room updated";
    pub const MESSAGE_EDITED: &str = "message edited";
    pub const MESSAGE_DELETED: &str = "message deleted";
    pub const REACTIONS_CHANGED: &str = "reactions changed";
    pub const MESSAGE_PINNED: &str = "message pinned";
    pub const MESSAGE_UNPINNED: &str = "message unpinned";
    pub const EVENT: &str = "event";
    pub const TYPING: &str = "typing";
    pub const READ: &str = "read";
    pub const THREAD_READ: &str = "thread read";
    pub const USER_ONLINE: &str = "user online";
    pub const USER_OFFLINE: &str = "user offline";
    pub const USER_UPDATED: &str = "user updated";
    pub const STATE_CHANGED: &str = "state changed";
    pub const RESYNC: &str = "resync";
    pub const ERROR: &str = "error";
}

/// `authenticate`, and the `auth` of a connection: who is there, and up to where events have come through.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Authenticate {
    /// The token that a login gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The last `cursor` seen: everything after it is sent again, in order, before `ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// A username alone, which serves as proof in `open` mode only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl Claims for Authenticate {
    fn claimed(&self) -> Claimed<'_> {
        Claimed { sender: None, username: self.username.as_deref() }
    }
}

claiming! {
    /// `create room`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct CreateRoom {
        /// Who else is in it; you are added.
        #[serde(default)]
        pub usernames: Vec<Username>,
        /// A channel needs one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<NewRoomName>,
        /// When absent: two people and no name are `direct`, all else is `group`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub kind: Option<RoomKind>,
        /// Makes a retry return the first room; `not_found` if you have left it since and it is no channel.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub nonce: Option<Nonce>,
    }
}

claiming! {
    /// `message`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct SendMessage {
        /// The room's id.
        pub room: String,
        /// The text; it may be empty where there are `metadata` and a `type`.
        pub body: Body,
        /// Your key for this send: the same send again returns the first message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub nonce: Option<Nonce>,
        /// Your application's own word for what it is.
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
        pub message_type: Option<MessageType>,
        /// How the text is meant; plain when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub format: Option<Format>,
        /// What your application notes on it: at most 4 KiB as JSON, and 5 objects and arrays inside one another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub metadata: Option<Metadata>,
        /// The seq of the earlier message of the room that it answers.
        #[serde(default, deserialize_with = "crate::whole::maybe", skip_serializing_if = "Option::is_none")]
        #[schema(minimum = 1)]
        pub reply_to: Option<i64>,
        /// The seq of the message of the room in whose thread it is written.
        #[serde(default, deserialize_with = "crate::whole::maybe", skip_serializing_if = "Option::is_none")]
        #[schema(minimum = 1)]
        pub thread: Option<i64>,
        /// Whether a message in a thread stands among the room's messages too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub also_in_room: bool,
        /// Whom it mentions: up to 50 members by name, and with `room` everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mentions: Option<Mentions>,
        /// A key of your own state that is to go with this send: the draft of this message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub clears: Option<StateKey>,
    }
}

impl SendMessage {
    /// What it has and does besides its text.
    pub fn rich(&self) -> Rich {
        let (message_type, format, metadata) = (self.message_type.clone(), self.format, self.metadata.clone());
        let (reply_to, thread, also_in_room) = (self.reply_to, self.thread, self.also_in_room);
        let (mentions, clears) = (self.mentions.clone(), self.clears.clone());
        Rich { message_type, format, metadata, reply_to, thread, also_in_room, mentions, clears }
    }
}

claiming! {
    /// `edit message`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct EditMessage {
        /// The room's id.
        pub room: String,
        /// The message's seq.
        #[serde(deserialize_with = "crate::whole::number")]
        #[schema(minimum = 1)]
        pub seq: i64,
        /// The new text; it stays when absent.
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        #[schema(value_type = Body, required = false)]
        pub body: Patch<Body>,
        /// How the text is meant; null makes it plain.
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        #[schema(value_type = Option<Format>)]
        pub format: Patch<Format>,
        /// A merge patch (RFC 7396) of the metadata; null removes it.
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        #[schema(value_type = Option<Object>)]
        pub metadata: Patch<Map<String, Value>>,
        /// Whom it mentions, instead of those before; null for nobody.
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        #[schema(value_type = Option<Mentions>)]
        pub mentions: Patch<Mentions>,
        /// Only if nobody has edited the message since it had this `rev`.
        #[serde(default, deserialize_with = "crate::whole::maybe", skip_serializing_if = "Option::is_none")]
        #[schema(minimum = 1)]
        pub if_rev: Option<i64>,
    }
}

claiming! {
    /// `delete message`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct DeleteMessage {
        /// The room's id.
        pub room: String,
        /// The message's seq.
        #[serde(deserialize_with = "crate::whole::number")]
        #[schema(minimum = 1)]
        pub seq: i64,
        /// Why, for the room to read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<Reason>,
    }
}

claiming! {
    /// `react`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct React {
        /// The room's id.
        pub room: String,
        /// The message's seq.
        #[serde(deserialize_with = "crate::whole::number")]
        #[schema(minimum = 1)]
        pub seq: i64,
        /// With what.
        pub emoji: Emoji,
        /// Give it, or take it back.
        pub on: bool,
    }
}

claiming! {
    /// `pin message` and `unpin message`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct PinMessage {
        /// The room's id.
        pub room: String,
        /// The message's seq.
        #[serde(deserialize_with = "crate::whole::number")]
        #[schema(minimum = 1)]
        pub seq: i64,
    }
}

claiming! {
    /// `join room` and `leave room`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct InRoom {
        /// The room's id.
        pub room: String,
    }
}

claiming! {
    /// `read`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct MarkRead {
        /// The room's id.
        pub room: String,
        /// Read up to here; past the head means the head.
        #[serde(deserialize_with = "crate::whole::number")]
        #[schema(minimum = 0)]
        pub seq: i64,
    }
}

claiming! {
    /// `typing`.
    #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
    pub struct SetTyping {
        /// The room's id.
        pub room: String,
        /// Started or stopped.
        pub typing: bool,
    }
}

/// An acknowledgement that says yes: `{ok: true, …, warnings?}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done<T> {
    /// Always true.
    pub ok: bool,
    /// What was asked for.
    #[serde(flatten)]
    pub adds: T,
    /// What of it was not done; the key is there only if there is something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl<T> Done<T> {
    /// Yes, with this, and with what was not done.
    pub fn with(adds: T, warnings: Vec<Warning>) -> Self {
        Self { ok: true, adds, warnings }
    }
}

/// An acknowledgement that says no: `{ok: false, error}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// Always false.
    pub ok: bool,
    /// Why, with REST's codes.
    pub error: Refusal,
}

impl From<Refusal> for Refused {
    fn from(error: Refusal) -> Self {
        Self { ok: false, error }
    }
}

/// What the acknowledgement of `authenticate` adds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthenticateAck {
    /// Who you are.
    pub user: User,
}

/// What the acknowledgement of `create room` adds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreateRoomAck {
    /// The room as you see it.
    pub room: Room,
    /// False where it was there before.
    pub created: bool,
}

/// What the acknowledgement of `react` adds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReactAck {
    /// The message's reactions, in the order of their first use.
    pub reactions: Vec<Reaction>,
}

/// What the acknowledgements of `message`, `edit message` and `delete message` add.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MessageAck {
    /// The message, which is on disk.
    pub message: Message,
}

/// What the acknowledgements of `join room` and `leave room` add.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomAck {
    /// The room as you see it after it.
    pub room: Room,
}

/// What the acknowledgement of `read` adds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadAck {
    /// Read up to this seq.
    #[schema(minimum = 0)]
    pub read: i64,
    /// Messages of others past it.
    #[schema(minimum = 0)]
    pub unread: i64,
}

/// What the acknowledgement of `typing` adds: nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NothingAck {}

/// `ready`: you are authenticated, and all that you missed has been sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Who you are.
    pub user: User,
    /// Where you stand.
    pub cursor: String,
    /// Whether your cursor was taken up; false without one and after `resync`.
    pub resumed: bool,
    /// What you are talking to.
    pub server: ServerInfo,
    /// Of your own state, all that has changed since your cursor; something may come twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub state: Option<Vec<StateChanged>>,
    /// Your own read marks, in rooms and threads, that have moved since your cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub marks: Option<Vec<Mark>>,
    /// There are no `state` and no `marks`, because you have no cursor, or more has changed since than is told here: read your own state and
    /// your rooms anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub state_reset: bool,
}

/// What a client talks to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerInfo {
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// What it can do beyond the first contract; a client ignores those that it does not know.
    pub features: Vec<String>,
}

/// `room created`: you are a member of this room now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomCreated {
    /// The room as you see it.
    pub room: Room,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `new message`: the message and the cursor, side by side.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewMessage {
    /// The message; its nonce only to its sender.
    #[serde(flatten)]
    pub message: Message,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `member joined` and `member left`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberChanged {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Who joined or left.
    pub username: Username,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `room updated`: the room's name, topic and metadata, all as they are now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomUpdated {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Who changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<Username>,
    /// The name; null for a room without one.
    #[schema(required)]
    pub name: Option<RoomName>,
    /// What the room is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub topic: Option<Topic>,
    /// What the application noted on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<Metadata>,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `message edited`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MessageEdited {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Which message, by its seq.
    #[serde(rename = "ref")]
    #[schema(minimum = 1)]
    pub ref_seq: i64,
    /// Who edited it.
    pub by: Username,
    /// The message as it is now.
    pub message: Message,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `message deleted`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MessageDeleted {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Which message, by its seq.
    #[serde(rename = "ref")]
    #[schema(minimum = 1)]
    pub ref_seq: i64,
    /// Who deleted it.
    pub by: Username,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Reason>,
    /// What is left of the message.
    pub message: Message,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `reactions changed`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReactionsChanged {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Which message, by its seq.
    #[serde(rename = "ref")]
    #[schema(minimum = 1)]
    pub ref_seq: i64,
    /// Who gave a reaction or took it back. Absent, with `emoji` and `on`, where several changes are told together, and of a deleted message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<Username>,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub emoji: Option<Emoji>,
    /// Given, or taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub on: Option<bool>,
    /// The message's reactions as they are now, in the order of their first use.
    pub reactions: Vec<Reaction>,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `message pinned` and `message unpinned`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PinChanged {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Which message, by its seq.
    #[serde(rename = "ref")]
    #[schema(minimum = 1)]
    pub ref_seq: i64,
    /// Who did it.
    pub by: Username,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `event`: something durable happened of a kind that this server does not know, because a newer one of the cluster wrote it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UnknownEvent {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order; null for what is for you alone.
    #[schema(minimum = 1)]
    pub seq: Option<i64>,
    /// The number of its kind.
    pub kind: i64,
    /// Everything up to here has reached you.
    pub cursor: String,
}

/// `typing`, from the server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TypingNow {
    /// The room's id.
    pub room: RoomId,
    /// Who.
    pub username: Username,
    /// Started or stopped.
    pub typing: bool,
}

/// `read`, from the server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadNow {
    /// The room's id.
    pub room: RoomId,
    /// Who.
    pub username: Username,
    /// Read up to here.
    #[schema(minimum = 0)]
    pub seq: i64,
    /// Messages of others past it; told to that user alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub unread: Option<i64>,
    /// Unread messages of the room that mention that user, counted up to 1,000; told to that user alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub mentions: Option<i64>,
}

/// `state changed`: a value of your own state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateChanged {
    /// Its key.
    pub key: StateKey,
    /// The value; null when it was removed.
    #[schema(required)]
    pub value: Option<StateValue>,
    /// Names this change of it.
    pub stamp: Stamp,
}

impl From<StateNow> for StateChanged {
    fn from(StateNow { key, value, stamp }: StateNow) -> Self {
        Self { key, value, stamp }
    }
}

/// `thread read`: your mark in a thread has moved, on whichever of your sockets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ThreadReadNow {
    /// The room's id.
    pub room: RoomId,
    /// The seq of the message whose thread it is.
    #[schema(minimum = 1)]
    pub thread: i64,
    /// Read up to here.
    #[schema(minimum = 0)]
    pub read: i64,
    /// Messages of others in it past that.
    #[schema(minimum = 0)]
    pub unread: i64,
}

/// `user online` and `user offline`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PresenceNow {
    /// Who.
    pub username: Username,
}

/// `user updated`: somebody's display name, status or metadata has changed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserUpdated {
    /// The user as they are now.
    pub user: User,
}

/// `resync`: your cursor cannot be taken up; fetch rooms, members and history anew.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Resync {
    /// Every room that you are in, and where it stands.
    pub rooms: Vec<RoomHead>,
    /// Where you stand from here on.
    pub cursor: String,
}

/// `error`: why the server is about to cut this socket.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cut {
    /// For programs.
    pub code: Code,
    /// For people.
    pub detail: String,
}

/// A durable event as a client is told of it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Told {
    RoomCreated(RoomCreated),
    NewMessage(NewMessage),
    MemberChanged(MemberChanged),
    RoomUpdated(RoomUpdated),
    MessageEdited(MessageEdited),
    MessageDeleted(MessageDeleted),
    ReactionsChanged(ReactionsChanged),
    PinChanged(PinChanged),
    Unknown(UnknownEvent),
}

impl Told {
    /// An event's name and what it carries, with this cursor; `is_sender` for the sender of a message, who alone sees its nonce.
    pub fn of(event: &Event, is_sender: bool, cursor: String) -> (&'static str, Self) {
        match event {
            Event::RoomCreated { room, .. } => (server::ROOM_CREATED, Self::RoomCreated(RoomCreated { room: (**room).clone(), cursor })),
            Event::NewMessage { message, .. } => {
                let message = Message::clone(message).for_reader(is_sender);
                (server::NEW_MESSAGE, Self::NewMessage(NewMessage { message, cursor }))
            }
            Event::MemberJoined(joined) => (server::MEMBER_JOINED, Self::MemberChanged(MemberChanged::of(joined, cursor))),
            Event::MemberLeft(left) => (server::MEMBER_LEFT, Self::MemberChanged(MemberChanged::of(left, cursor))),
            Event::RoomUpdated(updated) => {
                let crate::log::RoomUpdated { room, seq, by, name, topic, metadata } = updated.as_ref().clone();
                let by = by.map(|by| by.username);
                (server::ROOM_UPDATED, Self::RoomUpdated(RoomUpdated { room, seq, by, name, topic, metadata, cursor }))
            }
            Event::MessageEdited(edited) => {
                let crate::log::Amended { room, seq, ref_seq, by, message, .. } = edited.as_ref().clone();
                let (by, message) = (by.username, *message);
                (server::MESSAGE_EDITED, Self::MessageEdited(MessageEdited { room, seq, ref_seq, by, message, cursor }))
            }
            Event::MessageDeleted(deleted) => {
                let crate::log::Amended { room, seq, ref_seq, by, reason, message, .. } = deleted.as_ref().clone();
                let (by, message) = (by.username, *message);
                (server::MESSAGE_DELETED, Self::MessageDeleted(MessageDeleted { room, seq, ref_seq, by, reason, message, cursor }))
            }
            Event::ReactionsChanged(changed) => {
                let crate::log::ReactionsChanged { room, seq, ref_seq, change, reactions, .. } = changed.as_ref().clone();
                let (by, emoji, on) = match change {
                    Some(change) => (Some(change.by.username), Some(change.emoji), Some(change.on)),
                    None => (None, None, None),
                };
                let told = ReactionsChanged { room, seq, ref_seq, by, emoji, on, reactions, cursor };
                (server::REACTIONS_CHANGED, Self::ReactionsChanged(told))
            }
            Event::MessagePinned(pinned) => (server::MESSAGE_PINNED, Self::PinChanged(PinChanged::of(pinned, cursor))),
            Event::MessageUnpinned(unpinned) => (server::MESSAGE_UNPINNED, Self::PinChanged(PinChanged::of(unpinned, cursor))),
            Event::Unknown(unknown) => {
                let crate::log::Unknown { room, seq, kind, .. } = unknown.clone();
                (server::EVENT, Self::Unknown(UnknownEvent { room, seq, kind, cursor }))
            }
        }
    }
}

impl MemberChanged {
    fn of(membership: &crate::log::Membership, cursor: String) -> Self {
        Self { room: membership.room, seq: membership.seq, username: membership.user.username.clone(), cursor }
    }
}

impl PinChanged {
    fn of(pinned: &crate::log::Pinned, cursor: String) -> Self {
        Self { room: pinned.room, seq: pinned.seq, ref_seq: pinned.ref_seq, by: pinned.by.username.clone(), cursor }
    }
}
