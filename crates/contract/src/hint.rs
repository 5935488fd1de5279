//! Hints: what services tell whoever listens, best effort. A hint may be lost; what must not be lost is in the database, and who
//! misses a hint finds out from there.

use crate::{RoomId, TokenId, User, UserId, UserRef, log};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Something told to whoever listens.
pub trait Hint: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// What it is called on the bus.
    const SUBJECT: &'static str;

    /// Whether every hint of this kind has a [`Hint::part`].
    const PARTS: bool = false;

    /// Under which number of its subject it is told. Who listens hears all of them; those of one number come in order.
    fn part(&self) -> Option<u16> {
        None
    }

    /// The same as two hints, the first of which is to be told first, for one that is too large for the bus; `None` where it cannot be
    /// divided.
    fn halves(&self) -> Option<(Self, Self)> {
        None
    }
}

impl Hint for log::Batch {
    const SUBJECT: &'static str = "hint.log";
    const PARTS: bool = true;

    fn part(&self) -> Option<u16> {
        Some(self.partition)
    }

    fn halves(&self) -> Option<(Self, Self)> {
        let (front, back) = self.entries.split_at(self.entries.len() / 2);
        let (end, begin) = (front.last()?.position, back.first()?.position);
        let (epoch, partition) = (self.epoch, self.partition);
        // What changed in users' own state is told before the entries, so it stays with the first of them.
        let (state, none) = (self.state.clone(), self.state.as_ref().map(log::StateChanges::later));
        let front = Self { epoch, partition, first: self.first, last: end, entries: front.to_vec(), state };
        Some((front, Self { epoch, partition, first: begin, last: self.last, entries: back.to_vec(), state: none }))
    }
}

/// What is remembered of a user (display name, status, metadata) is not true any more: whoever remembers it forgets it. And for that user's
/// contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChanged {
    /// Who.
    pub user: UserId,
    /// As they are since, without `online`. (A process of before this field says nothing, and contacts are not told.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<User>,
}

impl Hint for UserChanged {
    const SUBJECT: &'static str = "hint.user";
}

/// Somebody types, or has stopped. For members of the room, the typist left out. Whoever publishes it has made sure that `user` is a
/// member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserRef,
    /// Started or stopped.
    pub typing: bool,
}

impl Hint for Typing {
    const SUBJECT: &'static str = "hint.typing";
}

/// Somebody's read mark has moved by their own word. For members of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMoved {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserRef,
    /// Up to where.
    pub seq: i64,
    /// How many messages of others are past it, for the user alone. (A process of before this field does not say.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<i64>,
    /// How many unread messages mention the user, for the user alone. (Likewise.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<i64>,
    /// The partition and the position at which it moved. (Likewise.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(u16, i64)>,
}

impl Hint for ReadMoved {
    const SUBJECT: &'static str = "hint.read";
}

/// Somebody's mark in a thread has moved, by their own word or because they wrote in it or began to follow it. For that user's own sockets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadReadMoved {
    /// Where.
    pub room: RoomId,
    /// The seq of the message whose thread it is.
    pub thread: i64,
    /// Who.
    pub user: UserId,
    /// Up to where.
    pub read: i64,
    /// How many messages of the thread lie past it.
    pub unread: i64,
    /// The partition and the position at which it moved.
    pub place: (u16, i64),
}

impl Hint for ThreadReadMoved {
    const SUBJECT: &'static str = "hint.thread_read";
}

/// Somebody came online anywhere, or is offline everywhere. For that user's contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChanged {
    /// Who.
    pub user: UserRef,
    /// Came or went.
    pub online: bool,
}

impl Hint for PresenceChanged {
    const SUBJECT: &'static str = "hint.presence";
}

/// Tokens are not valid any more: gateways cut the sockets that came with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revoked {
    /// These tokens.
    Tokens(Vec<TokenId>),
    /// All of a user's tokens but, perhaps, one.
    User {
        /// Whose.
        user: UserId,
        /// The one that stays valid.
        except: Option<TokenId>,
    },
    /// Something was changed from outside (`guild user …`): ask again about every token.
    AskAgain,
}

impl Hint for Revoked {
    const SUBJECT: &'static str = "hint.revoked";
}
