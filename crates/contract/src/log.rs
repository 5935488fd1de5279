//! The log: what the service promises about. Each room's durable events are numbered 1, 2, 3, … (`seq`); all rooms' events are
//! numbered together by `position`, gapless within a partition and in commit order. An [`Entry`] is one row of it, resolved to what
//! a gateway needs to deliver it; [`Batch`] is what one commit added.

use crate::{Message, Room, RoomId, RoomName, UserRef};
use serde::{Deserialize, Serialize};

/// One durable event at its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which partition of the log, from 0 on.
    pub partition: u16,
    /// The place: 1, 2, 3, … within the partition.
    pub position: i64,
    /// What happened.
    pub event: Event,
}

/// What happened, and so who hears it. All but `RoomCreated` go to those who were the room's members at that position; who joins
/// hears of it, and who leaves too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// For one user: from here on the user is a member of this room. `room` is as that user sees it when the entry is read.
    /// It takes no seq.
    RoomCreated {
        /// Who hears it.
        reader: UserRef,
        /// The room for that reader.
        room: Box<Room>,
    },
    /// A message.
    NewMessage {
        /// Who sent it.
        sender: UserRef,
        /// The message, with its nonce; whoever is not the sender must get it without.
        message: Box<Message>,
    },
    /// Somebody became a member, beginning with this event.
    MemberJoined(Membership),
    /// Somebody's membership ended, with this event.
    MemberLeft(Membership),
    /// The room was renamed.
    RoomUpdated {
        /// Which room.
        room: RoomId,
        /// The event's number in the room.
        seq: i64,
        /// The new name.
        name: RoomName,
    },
}

/// A join or a leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Which room.
    pub room: RoomId,
    /// The event's number in the room.
    pub seq: i64,
    /// Who joined or left.
    pub user: UserRef,
    /// How many members the room has after it.
    pub member_count: i64,
}

impl Event {
    /// The room that it happened in.
    pub fn room(&self) -> RoomId {
        match self {
            Self::RoomCreated { room, .. } => room.id,
            Self::NewMessage { message, .. } => message.room,
            Self::MemberJoined(membership) | Self::MemberLeft(membership) => membership.room,
            Self::RoomUpdated { room, .. } => *room,
        }
    }
}

/// What one commit added to one partition. A reader who has not seen the position before `first` has missed something and reads it
/// from the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Which partition of the log; SQLite has only 0.
    pub partition: u16,
    /// The first position of the commit.
    pub first: i64,
    /// The last position of the commit.
    pub last: i64,
    /// The entries, ascending, every one from `first` to `last`.
    pub entries: Vec<Entry>,
}
