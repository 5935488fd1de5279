//! The log: what the service promises about. Each room's durable events are numbered 1, 2, 3, … (`seq`); all rooms' events are
//! numbered together by `position`, gapless within a partition and in commit order. An [`Entry`] is one row of it, resolved to what
//! a gateway needs to deliver it; [`Batch`] is what one commit added.

use crate::{Emoji, Message, Metadata, Reaction, Reason, Room, RoomId, RoomName, StateKey, Topic, UserId, UserRef};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

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

/// What happened, and so who hears it. All but what is addressed to one user go to those who were the room's members at that position; who
/// joins hears of it, and who leaves too.
///
/// A newer program of the cluster may tell what this one does not know. So whoever adds a variant here gives its content the fields of
/// [`Unknown`]; this program then reads it as that, and the batch or the answer in which it comes is read whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The room's name, topic or metadata was changed.
    RoomUpdated(Box<RoomUpdated>),
    /// A message's text, or what belongs to it, was changed.
    MessageEdited(Box<Amended>),
    /// A message was deleted.
    MessageDeleted(Box<Amended>),
    /// Somebody reacted to a message, or took a reaction back.
    ReactionsChanged(Box<ReactionsChanged>),
    /// A message was pinned.
    MessagePinned(Pinned),
    /// A message was unpinned.
    MessageUnpinned(Pinned),
    /// Something that this program does not know.
    Unknown(Unknown),
}

/// A durable event of a kind, or of a version of a kind, that this program does not know. It is delivered with what every event has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Which room.
    pub room: RoomId,
    /// The event's number in the room; none for what is addressed to one user.
    pub seq: Option<i64>,
    /// The kind's number in the log.
    pub kind: i64,
    /// Who alone hears it, where it is addressed to one user.
    #[serde(default)]
    pub reader: Option<UserRef>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Tagged)
    }
}

/// Reads an event: a map with one entry, its kind and what that holds.
struct Tagged;

impl<'de> Visitor<'de> for Tagged {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: an object with one field, which is its kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        #[derive(Deserialize)]
        struct RoomCreated {
            reader: UserRef,
            room: Box<Room>,
        }
        #[derive(Deserialize)]
        struct NewMessage {
            sender: UserRef,
            message: Box<Message>,
        }
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Tag {
            RoomCreated,
            NewMessage,
            MemberJoined,
            MemberLeft,
            RoomUpdated,
            MessageEdited,
            MessageDeleted,
            ReactionsChanged,
            MessagePinned,
            MessageUnpinned,
            #[serde(other)]
            Unknown,
        }
        Ok(match map.next_key::<Tag>()?.ok_or_else(|| serde::de::Error::custom("an event has a kind"))? {
            Tag::RoomCreated => {
                let RoomCreated { reader, room } = map.next_value()?;
                Event::RoomCreated { reader, room }
            }
            Tag::NewMessage => {
                let NewMessage { sender, mut message } = map.next_value()?;
                // A program that knows no changes of messages does not tell this.
                message.rev = message.rev.max(message.seq);
                Event::NewMessage { sender, message }
            }
            Tag::MemberJoined => Event::MemberJoined(map.next_value()?),
            Tag::MemberLeft => Event::MemberLeft(map.next_value()?),
            Tag::RoomUpdated => Event::RoomUpdated(map.next_value()?),
            Tag::MessageEdited => Event::MessageEdited(map.next_value()?),
            Tag::MessageDeleted => Event::MessageDeleted(map.next_value()?),
            Tag::ReactionsChanged => Event::ReactionsChanged(map.next_value()?),
            Tag::MessagePinned => Event::MessagePinned(map.next_value()?),
            Tag::MessageUnpinned => Event::MessageUnpinned(map.next_value()?),
            Tag::Unknown => Event::Unknown(map.next_value()?),
        })
    }
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

/// What a room is called and about, after it was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomUpdated {
    /// Which room.
    pub room: RoomId,
    /// The event's number in the room.
    pub seq: i64,
    /// Who changed it; none from a program that does not tell.
    #[serde(default)]
    pub by: Option<UserRef>,
    /// The name now.
    pub name: Option<RoomName>,
    /// The topic now.
    #[serde(default)]
    pub topic: Option<Topic>,
    /// The metadata now.
    #[serde(default)]
    pub metadata: Option<Metadata>,
}

/// A message that was edited or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amended {
    /// Which room.
    pub room: RoomId,
    /// The event's number in the room.
    pub seq: i64,
    /// The kind's number in the log, for a program that does not know it.
    pub kind: i64,
    /// Which message, by its seq.
    pub ref_seq: i64,
    /// Who did it.
    pub by: UserRef,
    /// Why, if the one who deleted it said so.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The message as it is now, without its nonce.
    pub message: Box<Message>,
}

/// A change of a message's reactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionsChanged {
    /// Which room.
    pub room: RoomId,
    /// The event's number in the room.
    pub seq: i64,
    /// The kind's number in the log, for a program that does not know it.
    pub kind: i64,
    /// Which message, by its seq.
    pub ref_seq: i64,
    /// Who did what; none where several changes are told together, and when the message was deleted since.
    #[serde(default)]
    pub change: Option<ReactionChange>,
    /// The message's reactions as they are now.
    pub reactions: Vec<Reaction>,
}

/// One reaction that was given or taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionChange {
    /// By whom.
    pub by: UserRef,
    /// With what.
    pub emoji: Emoji,
    /// Given, or taken back.
    pub on: bool,
}

/// A message that was pinned or unpinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Which room.
    pub room: RoomId,
    /// The event's number in the room.
    pub seq: i64,
    /// The kind's number in the log, for a program that does not know it.
    pub kind: i64,
    /// Which message, by its seq.
    pub ref_seq: i64,
    /// Who did it.
    pub by: UserRef,
}

impl Event {
    /// Its number in the room; none for what is addressed to one user.
    pub fn seq(&self) -> Option<i64> {
        match self {
            Self::RoomCreated { .. } => None,
            Self::NewMessage { message, .. } => Some(message.seq),
            Self::MemberJoined(membership) | Self::MemberLeft(membership) => Some(membership.seq),
            Self::RoomUpdated(updated) => Some(updated.seq),
            Self::MessageEdited(amended) | Self::MessageDeleted(amended) => Some(amended.seq),
            Self::ReactionsChanged(changed) => Some(changed.seq),
            Self::MessagePinned(pinned) | Self::MessageUnpinned(pinned) => Some(pinned.seq),
            Self::Unknown(unknown) => unknown.seq,
        }
    }

    /// The room that it happened in.
    pub fn room(&self) -> RoomId {
        match self {
            Self::RoomCreated { room, .. } => room.id,
            Self::NewMessage { message, .. } => message.room,
            Self::MemberJoined(membership) | Self::MemberLeft(membership) => membership.room,
            Self::RoomUpdated(updated) => updated.room,
            Self::MessageEdited(amended) | Self::MessageDeleted(amended) => amended.room,
            Self::ReactionsChanged(changed) => changed.room,
            Self::MessagePinned(pinned) | Self::MessageUnpinned(pinned) => pinned.room,
            Self::Unknown(unknown) => unknown.room,
        }
    }
}

/// What one commit added to one partition. A reader who has not seen the position before `first` has missed something and reads it
/// from the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The database's epoch at the commit: positions of two epochs cannot be compared.
    pub epoch: u64,
    /// Which partition of the log; SQLite has only 0.
    pub partition: u16,
    /// The first position of the commit.
    pub first: i64,
    /// The last position of the commit.
    pub last: i64,
    /// The entries, ascending, every one from `first` to `last`. Where there are none, `first` is one more than `last`.
    pub entries: Vec<Entry>,
    /// What it changed of users' own state; none from a process that does not know of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateChanges>,
}

/// What one commit changed of users' own state. Changes are counted within a partition, so that one which was not heard of is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChanges {
    /// The number of the partition's last change, with those of this commit.
    pub end: i64,
    /// Whose values have changed, in the order of their numbers, of which the last is `end`. Whoever tells of one reads it, and so tells the
    /// newest value, in whatever order commits of two partitions are heard of.
    pub keys: Vec<(UserId, StateKey)>,
}

impl StateChanges {
    /// The number of the last change before these.
    pub fn before(&self) -> i64 {
        self.end.saturating_sub(i64::try_from(self.keys.len()).unwrap_or(i64::MAX))
    }

    /// What a later batch says that changes nothing.
    pub fn later(&self) -> Self {
        Self { end: self.end, keys: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MessageId, RoomKind, Time};

    fn user() -> UserRef {
        UserRef { id: UserId::new(), username: "ann".try_into().unwrap() }
    }

    fn room(id: RoomId) -> Room {
        Room {
            id,
            kind: RoomKind::Group,
            name: Some("tea".try_into().unwrap()),
            topic: None,
            metadata: None,
            rev: 0,
            created_by: "ann".try_into().unwrap(),
            created_at: Time(1),
            usernames: vec!["ann".try_into().unwrap()],
            member_count: 1,
            head: 1,
            read: 1,
            unread: 0,
            mentions: 0,
            unread_threads: 0,
            last_message: None,
        }
    }

    #[test]
    fn every_event_comes_back_as_it_was_told() {
        let id = RoomId::new();
        let plain = Message::plain(MessageId::new(), id, 2, "ann".try_into().unwrap(), "hi".try_into().unwrap(), Time(5));
        let message = Message { nonce: Some("n".try_into().unwrap()), ..plain.clone() };
        let updated = |topic: Option<&str>| {
            let topic = topic.map(|topic| topic.try_into().unwrap());
            Event::RoomUpdated(Box::new(RoomUpdated { room: id, seq: 4, by: Some(user()), name: None, topic, metadata: None }))
        };
        let reaction = Reaction { emoji: "👍".try_into().unwrap(), count: 1, usernames: vec!["ann".try_into().unwrap()], mine: None };
        let amended = Amended { room: id, seq: 6, kind: 6, ref_seq: 2, by: user(), reason: None, message: Box::new(plain) };
        let change = ReactionChange { by: user(), emoji: "👍".try_into().unwrap(), on: true };
        let reacted = ReactionsChanged { room: id, seq: 7, kind: 8, ref_seq: 2, change: Some(change), reactions: vec![reaction] };
        let pinned = Pinned { room: id, seq: 8, kind: 9, ref_seq: 2, by: user() };
        let membership = Membership { room: id, seq: 3, user: user(), member_count: 2 };
        let events = [
            Event::RoomCreated { reader: user(), room: Box::new(room(id)) },
            Event::NewMessage { sender: user(), message: Box::new(message) },
            Event::MemberJoined(membership.clone()),
            Event::MemberLeft(membership),
            updated(None),
            updated(Some("tea")),
            Event::MessageEdited(Box::new(amended.clone())),
            Event::MessageDeleted(Box::new(amended)),
            Event::ReactionsChanged(Box::new(reacted)),
            Event::MessagePinned(pinned.clone()),
            Event::MessageUnpinned(pinned),
            Event::Unknown(Unknown { room: id, seq: Some(5), kind: 999, reader: None }),
            Event::Unknown(Unknown { room: id, seq: None, kind: 999, reader: Some(user()) }),
        ];
        for event in events {
            let told = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&told).unwrap(), event, "{told}");
            // A newer program may say more of it.
            let more = told.replacen(":{", r#":{"since":{"a":[1]},"#, 1);
            assert_eq!(serde_json::from_str::<Event>(&more).unwrap(), event, "{more}");
        }
    }

    #[test]
    fn a_batch_with_an_event_of_a_newer_program_keeps_its_places() {
        let id = RoomId::new();
        let told = format!(
            r#"{{"epoch":3,"partition":1,"first":7,"last":8,"entries":[
                {{"partition":1,"position":7,"event":{{"poll_closed":{{"emoji":"+1","room":"{id}","seq":4,"kind":999}}}}}},
                {{"partition":1,"position":8,"event":{{"room_updated":{{"room":"{id}","seq":5,"name":"plans"}}}}}}]}}"#
        );
        let batch: Batch = serde_json::from_str(&told).unwrap();
        let unknown = Event::Unknown(Unknown { room: id, seq: Some(4), kind: 999, reader: None });
        assert_eq!(batch.entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(batch.entries[0].event, unknown);
        let name = Some("plans".try_into().unwrap());
        let updated = RoomUpdated { room: id, seq: 5, by: None, name, topic: None, metadata: None };
        assert_eq!(batch.entries[1].event, Event::RoomUpdated(Box::new(updated)), "as the program before tells it");
    }
}
