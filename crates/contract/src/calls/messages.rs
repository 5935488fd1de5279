//! What the messages service answers: rooms, membership, the log, retrieval.

use super::call;
use crate::log::{Entry, Event};
use crate::message::{Mentions, Version};
use crate::{
    Body, Cursor, Emoji, Format, Limit, Message, MessageType, Metadata, Nonce, Page, Patch, Placed, Reaction, Reason, Refusal, Room,
    RoomId, RoomKind, RoomName, StateKey, Time, Topic, User, UserId, UserRef, Username, Warning,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Implements a call about one room whose order among one process's calls about that room is kept.
macro_rules! ordered_call {
    ($name:ident => $reply:ty, $subject:literal) => {
        call!(
            $name => $reply,
            $subject,
            fn in_order(&self) -> Option<[u8; 16]> {
                Some(self.room.bytes())
            }
        );
    };
}

/// Creates a room with the caller in it, or finds the one that is meant: the pair's direct room, or what an earlier call with this
/// nonce created.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateRoom {
    /// The other members; the caller may be among them. Unknown ones: `not_found`, field `usernames`.
    pub usernames: Vec<Username>,
    /// A channel needs one, a direct room may have none.
    pub name: Option<RoomName>,
    /// When absent: two people and no name are `direct`, all else is `group`.
    pub kind: Option<RoomKind>,
    /// Makes a retry return the first room; with another request it is `nonce_conflict`. Of a room that the caller is not in any more it is
    /// `not_found`, unless anybody may look at it.
    pub nonce: Option<Nonce>,
}
call!(CreateRoom => Created, "messages.create_room");

/// The room, and whether this call created it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Created {
    /// The room as the caller sees it.
    pub room: Room,
    /// False where it was there before.
    pub created: bool,
}

/// One room: the caller's own, or any channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetRoom {
    /// Which.
    pub room: RoomId,
}
call!(GetRoom => Room, "messages.get_room");

/// Several rooms at once, in no order: those that [`GetRoom`] would answer, without a word about the others. At most 100, as each may have
/// a long last message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetRooms {
    /// Which.
    pub rooms: Vec<RoomId>,
}
call!(GetRooms => Vec<Room>, "messages.get_rooms");

/// Channels to join, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListChannels {
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(ListChannels => Page<Room>, "messages.list_channels");

/// The caller's own rooms, newest activity first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MyRooms {
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(MyRooms => Page<Room>, "messages.my_rooms");

/// The same, and where each room stands in that list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MyRoomsPlaced {
    /// A place in an earlier answer, or [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(MyRoomsPlaced => Placed<Room>, "messages.my_rooms_placed");

/// Changes a room's name, topic and metadata; its owner's right. What changes nothing is fine and told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpdateRoom {
    /// Which.
    pub room: RoomId,
    /// The new name; the present one stays when absent.
    pub name: Option<RoomName>,
    /// The topic.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub topic: Patch<Topic>,
    /// A merge patch (RFC 7396) of the metadata; at most 8 KiB come of it.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub metadata: Patch<Map<String, Value>>,
    /// Only if the room's `rev` is still this; else `conflict`.
    pub if_rev: Option<i64>,
}
call!(UpdateRoom => Room, "messages.update_room");

impl UpdateRoom {
    /// A change of the name alone.
    pub fn name(room: RoomId, name: RoomName) -> Self {
        Self { room, name: Some(name), topic: Patch::Keep, metadata: Patch::Keep, if_rev: None }
    }
}

/// A room's members, those who have been in the longest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListMembers {
    /// Which.
    pub room: RoomId,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(ListMembers => Page<User>, "messages.list_members");

/// The members of several rooms at once: for each room what [`ListMembers`] answers or refuses. At most 1,000 rooms; with more than 100 the
/// pages may be shorter than the limit, so that there are 10,000 members in all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MembersOf {
    /// Which rooms.
    pub rooms: Vec<RoomId>,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many of each room.
    pub limit: Limit,
}
call!(MembersOf => Vec<OfRoom<Placed<User>>>, "messages.members_of");

/// What was found out about one of several rooms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfRoom<T> {
    /// Which.
    pub room: RoomId,
    /// What was asked for, or why not.
    pub answer: Result<T, Refusal>,
}

/// Makes somebody a member: any member of a group may add, into a channel one goes oneself. Who is in already is fine and told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddMember {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub username: Username,
}
call!(AddMember => Room, "messages.add_member");

/// Makes several users members, with the rights of [`AddMember`]: all of them, or none. Those who are in already are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddMembers {
    /// Where.
    pub room: RoomId,
    /// Who: at most 100. They join in this order. Unknown ones: `not_found`, field `usernames`.
    pub usernames: Vec<Username>,
}
call!(AddMembers => (), "messages.add_members");

/// Ends a membership: one's own, or as the owner anybody's. Answers the room as it is without that member; to who has left, as it was then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoveMember {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub username: Username,
}
call!(RemoveMember => Room, "messages.remove_member");

/// Sends a message. The answer means that it is on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Send {
    /// Where.
    pub room: RoomId,
    /// The text; it may be empty where there are `metadata` and a type.
    pub body: Body,
    /// The client's key for this send.
    pub nonce: Option<Nonce>,
    /// What belongs to the text.
    #[serde(flatten)]
    pub rich: Rich,
}
ordered_call!(Send => Sent, "messages.send");

/// What a message may have besides its text, and what its sending does besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rich {
    /// The application's own word for what it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub message_type: Option<MessageType>,
    /// How the text is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What the application notes on it; at most 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The earlier message of the room that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<i64>,
    /// The message of the room in whose thread it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i64>,
    /// Whether a message in a thread stands among the room's messages too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub also_in_room: bool,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Mentions>,
    /// A key of the sender's own state, which goes with this send (the draft of the message). A repeated send removes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clears: Option<StateKey>,
}

/// The message, and whether this call wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// As its sender sees it, with the nonce.
    pub message: Message,
    /// False where the nonce had been seen before.
    pub created: bool,
    /// What of it was not done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// One message, as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetMessage {
    /// The room.
    pub room: RoomId,
    /// The message's seq. What is no message's is `not_found`, field `seq`.
    pub seq: i64,
}
call!(GetMessage => Message, "messages.get_message");

/// Changes a message; its sender's right. A change that changes nothing answers the message, and is told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EditMessage {
    /// The room.
    pub room: RoomId,
    /// The message's seq.
    pub seq: i64,
    /// The new text; the present one stays when absent.
    pub body: Option<Body>,
    /// How the text is meant.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub format: Patch<Format>,
    /// A merge patch (RFC 7396) of the metadata; at most 4 KiB come of it.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub metadata: Patch<Map<String, Value>>,
    /// Whom it mentions, instead of those before; null for nobody.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub mentions: Patch<Mentions>,
    /// Only if nobody has edited the message since it had this `rev`; else `conflict`.
    pub if_rev: Option<i64>,
}
ordered_call!(EditMessage => Edited, "messages.edit_message");

/// A message after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// As it is now.
    #[serde(flatten)]
    pub message: Message,
    /// What of it was not done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// Deletes a message: its sender's right, and in groups and channels that of the room's owner. Answers what is left of it. One that is deleted
/// already is fine and told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeleteMessage {
    /// The room.
    pub room: RoomId,
    /// The message's seq.
    pub seq: i64,
    /// Why, for the room to read.
    pub reason: Option<Reason>,
}
ordered_call!(DeleteMessage => Message, "messages.delete_message");

/// Deletes several messages, with the rights of [`DeleteMessage`]: all of them, or none if one may not be deleted. Those that are deleted already
/// and those that do not exist are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeleteMessages {
    /// The room.
    pub room: RoomId,
    /// The messages' seqs: 1-100.
    pub seqs: Vec<i64>,
}
ordered_call!(DeleteMessages => Vec<i64>, "messages.delete_messages");

/// What a message said, from its first version on; the last one is the present one. For its sender and the room's owner. Nothing is left of a
/// deleted one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Versions {
    /// The room.
    pub room: RoomId,
    /// The message's seq.
    pub seq: i64,
}
call!(Versions => Vec<Version>, "messages.versions");

/// Reacts to a message, or takes a reaction back. Answers the message's reactions. What changes nothing is told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct React {
    /// The room.
    pub room: RoomId,
    /// The message's seq.
    pub seq: i64,
    /// With what.
    pub emoji: Emoji,
    /// Give it, or take it back.
    pub on: bool,
}
ordered_call!(React => Vec<Reaction>, "messages.react");

/// Who has reacted to a message with an emoji, the first ones first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reactors {
    /// The room.
    pub room: RoomId,
    /// The message's seq.
    pub seq: i64,
    /// With what.
    pub emoji: Emoji,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(Reactors => Page<Reactor>, "messages.reactors");

/// Somebody who has reacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reactor {
    /// Who.
    pub username: Username,
    /// When.
    pub created_at: Time,
}

/// Pins a message to its room, or unpins it: the right of the members of a direct room or a group, and of a channel's owner. What changes nothing
/// is told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// The room.
    pub room: RoomId,
    /// The message's seq.
    pub seq: i64,
    /// Pin, or unpin.
    pub on: bool,
}
ordered_call!(Pin => (), "messages.pin");

/// The pinned messages of a room, the newest pin first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pins {
    /// The room.
    pub room: RoomId,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(Pins => Page<Message>, "messages.pins");

/// The pinned messages of several rooms at once: for each room what [`Pins`] answers or refuses. At most 100 rooms. Where the messages are long, a
/// page is shorter than the limit: 1 MiB of bodies for all rooms together, and of each room one message at least.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PinsOf {
    /// Which rooms.
    pub rooms: Vec<RoomId>,
    /// A place in an earlier answer, or [`Page::next`].
    pub after: Option<String>,
    /// How many of each room.
    pub limit: Limit,
}
call!(PinsOf => Vec<OfRoom<Placed<Message>>>, "messages.pins_of");

/// Messages of a room around a seq: up to half of the limit before it, and the rest from it on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Around {
    /// The room.
    pub room: RoomId,
    /// Around this seq.
    pub seq: i64,
    /// Only messages in the thread of this one; none for the room's messages.
    #[serde(default)]
    pub thread: Option<i64>,
    /// How many.
    pub limit: Limit,
}
call!(Around => HistoryPage, "messages.around");

/// A page of a room's messages, and where to go on from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryPage {
    /// The messages, by seq, ascending.
    pub items: Vec<Message>,
    /// Pass it as `before` to get the page before; null at the beginning. Only where `around` was asked for.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schema(value_type = Option<i64>, required = false)]
    pub before: Patch<i64>,
    /// Pass it as `after` to get the next page; null at the end. Opaque.
    #[schema(required)]
    pub next: Option<String>,
}

/// The durable events of a room after a seq, ascending, each as it would be told now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomEvents {
    /// The room.
    pub room: RoomId,
    /// Only events with a larger seq.
    pub after: i64,
    /// At most so many: 1-500. Where messages are long the page ends earlier, after 1 MiB.
    pub limit: u16,
}
call!(RoomEvents => Page<Event>, "messages.room_events");

/// A page of a room's messages, by seq, ascending: the newest; or those just before a seq; or those just after one. Not both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    /// Which room.
    pub room: RoomId,
    /// Only messages with a smaller seq, the newest of them.
    pub before: Option<i64>,
    /// Only messages with a larger seq, the oldest of them.
    pub after: Option<i64>,
    /// Only messages in the thread of this one; none for the room's messages.
    #[serde(default)]
    pub thread: Option<i64>,
    /// How many.
    pub limit: Limit,
}
call!(History => Page<Message>, "messages.history");

/// A stretch of the messages of several rooms at once, with the rights of [`History`]. At most 100 rooms. Where the messages are long, a
/// stretch is shorter than the limit: 1 MiB of bodies for all rooms together, and of each room one message at least.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histories {
    /// Which rooms.
    pub rooms: Vec<RoomId>,
    /// Only messages with a larger seq; 0 for all.
    pub after: i64,
    /// Only messages with a smaller seq; none for all.
    pub before: Option<i64>,
    /// Where there are more: the newest of them, or the oldest.
    pub newest: bool,
    /// How many of each room.
    pub limit: Limit,
}
call!(Histories => Vec<OfRoom<Stretch>>, "messages.histories");

/// A stretch of a room's messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The messages, by seq, ascending.
    pub messages: Vec<Message>,
    /// Whether the room holds any before these.
    pub earlier: bool,
    /// Whether the room holds any after these.
    pub later: bool,
}

/// Messages that others sent to the caller's rooms, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recent {
    /// Only from this sender.
    pub from: Option<Username>,
    /// How many days back; 1-3650.
    pub days: u16,
    /// How many.
    pub limit: Limit,
}
call!(Recent => Recently, "messages.recent");

/// What [`Recent`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recently {
    /// The messages, newest first.
    pub messages: Vec<Message>,
    /// How many rows were looked at for them: what the call cost.
    pub looked_at: usize,
}

/// Looks for text in the rooms that the caller is a member of, newest first. A page may be shorter than the limit, even empty, where much
/// had to be looked at: only a `next` of none is the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Search {
    /// Words, `prefixes*` and `"phrases"`, all of which a message must have; at most 500 characters. It may be empty where there is a filter other
    /// than `room`: then all messages are found that the filters name.
    pub q: String,
    /// Only in this room.
    pub room: Option<RoomId>,
    /// Only from this sender.
    pub from: Option<Username>,
    /// The same by another name; given both, they have to be one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Username>,
    /// Only messages that are pinned now.
    #[serde(default)]
    pub pinned: bool,
    /// Only messages in the thread of this one; needs `room`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i64>,
    /// Only messages that mention the caller, by name or with everybody.
    #[serde(default)]
    pub mentions_me: bool,
    /// From [`Page::next`] of the same search: only what is older.
    pub before: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(Search => Searched, "messages.search");

/// What [`Search`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    /// The messages, newest first.
    pub page: Page<Found>,
    /// How many rows were looked at for them: what the call cost.
    pub looked_at: usize,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// The message.
    pub message: Message,
    /// The part of its body around the first match, or its beginning where there was no `q`, in pieces: one behind the other they are that text.
    pub excerpt: Vec<Piece>,
}

/// A piece of a message's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Piece {
    /// The text, as it was sent; an `…` at either end stands for what is left out.
    pub text: String,
    /// Whether this is what was looked for.
    pub matched: bool,
}

/// Moves the caller's read mark, never back; past the head means the head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MarkRead {
    /// Where.
    pub room: RoomId,
    /// Up to which seq; not negative.
    pub seq: i64,
}
call!(MarkRead => ReadMark, "messages.mark_read");

/// The read marks of the members of a room of up to 100; `forbidden` in a larger one. Those who have been in it the longest come first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListReads {
    /// Where.
    pub room: RoomId,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(ListReads => Page<MemberRead>, "messages.list_reads");

/// How far a member has read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberRead {
    /// Who.
    pub username: Username,
    /// Up to which seq.
    #[schema(minimum = 0)]
    pub read: i64,
}

/// Where the caller's read mark stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadMark {
    /// Read up to this seq.
    #[schema(minimum = 0)]
    pub read: i64,
    /// Messages of others past it.
    #[schema(minimum = 0)]
    pub unread: i64,
}

/// Which rooms a user is in, and as of which position of each partition that is so. Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomsOf {
    /// Who.
    pub user: UserId,
}
call!(RoomsOf => InRooms, "messages.rooms_of");

/// The rooms that a user is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InRooms {
    /// The rooms, in no order.
    pub rooms: Vec<InRoom>,
    /// The database's epoch, to which the positions belong.
    pub epoch: u64,
    /// Everything up to these positions is counted in, nothing after.
    pub positions: Vec<i64>,
    /// For each partition: the last position at which the user's own state or read marks have changed, -1 where they never have. Empty from a
    /// process that does not know of them.
    #[serde(default)]
    pub changed: Vec<i64>,
}

/// One room that a user is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InRoom {
    /// Which.
    pub room: RoomId,
    /// Its kind.
    pub kind: RoomKind,
    /// How many members it has.
    pub member_count: i64,
}

/// How a user stands in one room: as in [`RoomsOf`], and none where the user is no member of such a room. Services only: for a gateway that
/// may not have heard of the room yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomOf {
    /// Who.
    pub user: UserId,
    /// Which room.
    pub room: RoomId,
}
call!(RoomOf => Option<InRoom>, "messages.room_of");

/// Where the log's end is. Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {}
call!(Head => Cursor, "messages.head");

/// The log's entries after a position, ascending, for a gateway that has missed hints. Services only. Each is told as of itself, as the hint told it; what
/// was deleted since is a tombstone. An answer ends early where bodies are
/// long (1 MiB of them, and one entry at least): only one without entries is the end. Refused as `busy` where the database is of another epoch by
/// now: [`Head`] says of which.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadLog {
    /// The epoch to which the position belongs.
    pub epoch: u64,
    /// Which partition.
    pub partition: u16,
    /// Only entries after this position.
    pub after: i64,
    /// At most so many.
    pub limit: u16,
}
call!(ReadLog => Vec<Entry>, "messages.read_log");

/// What a user has missed since a cursor: one page of the entries that were for this user, in the order in which they were committed, each
/// partition's own ascending. Services only: a gateway asks for the user whom it has authenticated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadMissed {
    /// Who.
    pub user: UserRef,
    /// Since when. Text as the client gave it, so that a bad one is told from a good one in one place.
    pub cursor: String,
    /// Only up to here, where the caller gets the rest by other means; to the log's end when absent.
    pub until: Option<Cursor>,
    /// At most so many entries.
    pub limit: u16,
    /// Whether this goes on with a replay that was begun: then the rule of how far back a cursor may reach does not apply again.
    pub going_on: bool,
}
call!(ReadMissed => Missed, "messages.read_missed");

/// A page of what was missed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// These entries, in order. Whoever has sent some of them has sent everything up to the cursor that was asked from, with the position of
    /// each partition's last sent entry put in its place.
    Entries {
        /// Only what is this user's: rooms and messages as the user sees them now, nonces only of own messages. In a room that the user has left, messages
        /// are as they were at the leaving; what was deleted since is a tombstone.
        entries: Vec<Entry>,
        /// Everything up to here has been covered: ask from here for the next page.
        cursor: Cursor,
        /// Whether there was more when it was read.
        more: bool,
    },
    /// The cursor is malformed, of another database, past the log's end or further back than is replayed: start anew.
    TooFar {
        /// For the log: why.
        why: String,
    },
}

/// Where every room of a user stands: what a client needs who starts anew. Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heads {
    /// Who.
    pub user: UserId,
}
call!(Heads => RoomHeads, "messages.heads");

/// Every room of a user, and the positions up to which that is so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomHeads {
    /// The rooms, in no order.
    pub rooms: Vec<RoomHead>,
    /// The place in the log.
    pub cursor: Cursor,
}

/// A room and its newest seq.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomHead {
    /// The room.
    pub id: RoomId,
    /// Its newest seq, 0 when it is new.
    #[schema(minimum = 0)]
    pub head: i64,
}
