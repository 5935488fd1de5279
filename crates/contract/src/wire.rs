//! What goes over a Socket.IO connection: the events that a client emits, what their acknowledgements add to `{ok: true}`, and the
//! events that the server emits. Each carries exactly one object. Requests take unknown fields, and so must clients.
//!
//! A client may say who it is (`sender`, `username`), as the first clients of this service did; a name that is not its own is refused
//! ([`crate::claimed`]).

use crate::calls::messages::RoomHead;
use crate::claiming;
use crate::{Body, Claimed, Claims, Code, Message, NewRoomName, Nonce, Refusal, Room, RoomId, RoomKind, RoomName, User, Username};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Names of the events that clients emit.
pub mod client {
    #![allow(missing_docs)]
    pub const AUTHENTICATE: &str = "authenticate";
    pub const CREATE_ROOM: &str = "create room";
    pub const MESSAGE: &str = "message";
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
    pub const EVENT: &str = "event";
    pub const TYPING: &str = "typing";
    pub const READ: &str = "read";
    pub const USER_ONLINE: &str = "user online";
    pub const USER_OFFLINE: &str = "user offline";
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
        /// The text.
        pub body: Body,
        /// Your key for this send: the same send again returns the first message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub nonce: Option<Nonce>,
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

/// An acknowledgement that says yes: `{ok: true, …}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done<T> {
    /// Always true.
    pub ok: bool,
    /// What was asked for.
    #[serde(flatten)]
    pub adds: T,
}

impl<T> Done<T> {
    /// Yes, with this.
    pub fn with(adds: T) -> Self {
        Self { ok: true, adds }
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

/// What the acknowledgement of `message` adds.
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

/// `room updated`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomUpdated {
    /// The room's id.
    pub room: RoomId,
    /// The event's place in the room's order.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// The new name.
    pub name: RoomName,
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
}

/// `user online` and `user offline`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PresenceNow {
    /// Who.
    pub username: Username,
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
