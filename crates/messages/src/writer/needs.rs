//! What an operation will read when it decides.

use contract::{StateKey, UserId};

/// On a shared database a batch reads the needs of all its operations in a few statements. What an operation does not name here costs a
/// round trip of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Whether the room exists already; false for the operation that creates it.
    pub exists: bool,
    /// Whether these users are members of the room.
    pub members: Vec<UserId>,
    /// This member's read mark. It is read even if it is in the cache, because another server moves read marks without a row of the log.
    pub read_mark: Option<UserId>,
    /// Whether this user has used this nonce in the room.
    pub nonce: Option<(UserId, String)>,
    /// Whether this user has created a room with this nonce.
    pub room_nonce: Option<(UserId, String)>,
    /// Whether these two have a direct room (see [`crate::store::rooms::pair`]).
    pub pair: Option<Vec<u8>>,
    /// The longest-standing member.
    pub heir: bool,
    /// These messages of the room, by seq, each with its state.
    pub messages: Vec<i64>,
    /// Whether this user has reacted to this message with this emoji.
    pub reaction: Option<(i64, String, UserId)>,
    /// How this user stands in the thread of this message.
    pub thread_member: Option<(i64, UserId)>,
    /// Whether reactions to this message wait to be told. Read only in a room that tells them together.
    pub untold: Option<i64>,
    /// How many messages are pinned.
    pub pins: bool,
    /// What the room is about.
    pub details: bool,
    /// A value of a user's own state.
    pub own_state: Option<(UserId, StateKey)>,
}

impl Needs {
    /// An existing room, and whether these users are its members.
    pub(crate) fn of(members: impl IntoIterator<Item = UserId>) -> Self {
        Self { exists: true, members: members.into_iter().collect(), ..Self::default() }
    }
}
