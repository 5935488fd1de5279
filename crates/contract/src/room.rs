//! Rooms.

use crate::{Message, Metadata, RoomId, RoomName, Time, Topic, Username};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many members a room lists by name in `usernames`; the rest are paged.
pub const LISTED_MEMBERS: usize = 100;

/// Rooms of up to this many members carry typing, read marks and presence.
pub const LIVELY_MEMBERS: i64 = 100;

/// The three kinds of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Exactly two people, one room a pair, for ever: no adding, leaving or renaming.
    Direct,
    /// Invited members.
    Group,
    /// Named and listed; anyone may join.
    Channel,
}

impl RoomKind {
    /// As it stands on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Channel => "channel",
        }
    }

    /// Back from [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Direct, Self::Group, Self::Channel].into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the people in it are contacts of one another: a direct room, or a group of up to [`LIVELY_MEMBERS`].
    pub fn makes_contacts(self, member_count: i64) -> bool {
        self != Self::Channel && member_count <= LIVELY_MEMBERS
    }
}

/// A room as its reader sees it at the moment when it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The id.
    pub id: RoomId,
    /// Direct, group or channel.
    pub kind: RoomKind,
    /// The name; a direct room has none, a group may have one, a channel has one.
    #[schema(required)]
    pub name: Option<RoomName>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub topic: Option<Topic>,
    /// What the application noted on it, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<Metadata>,
    /// The `seq` of its last `room updated`; 0 when there was none.
    #[serde(default)]
    #[schema(minimum = 0, required)]
    pub rev: i64,
    /// The room's owner: its creator, or, since the owner left, who has been a member the longest. A room that everybody has left
    /// keeps its last owner's name until somebody joins, who then owns it.
    pub created_by: Username,
    /// When it was created.
    pub created_at: Time,
    /// Up to 100 members, those who have been in the longest first; all of them are at `GET /rooms/{id}/members`.
    pub usernames: Vec<Username>,
    /// How many members there are.
    #[schema(minimum = 0)]
    pub member_count: i64,
    /// The newest `seq`, 0 when the room is new.
    #[schema(minimum = 0)]
    pub head: i64,
    /// Up to where the reader has read; 0 for one who is not a member.
    #[schema(minimum = 0)]
    pub read: i64,
    /// How many messages of others lie past `read`; 0 for one who is not a member.
    #[schema(minimum = 0)]
    pub unread: i64,
    /// How many messages that the reader has not read mention the reader, by name or with everybody: those past `read`, and in threads those past
    /// the reader's mark there. Counted up to 1,000.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1000, required)]
    pub mentions: i64,
    /// How many of the threads that the reader follows have something unread.
    #[serde(default)]
    #[schema(minimum = 0, required)]
    pub unread_threads: i64,
    /// The newest message outside threads, for a member; null where there is none.
    #[schema(required)]
    pub last_message: Option<Message>,
}
