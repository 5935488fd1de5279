//! What an operation will read when it decides.

use contract::UserId;

/// What an operation looks at when it decides. A batch on a database that is some way off reads it beforehand, for all of its operations
/// together, so an operation names all of it: what it does not name costs a way to the database and back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Whether the room is to be there already: not where the operation creates it.
    pub exists: bool,
    /// How these users stand in the room.
    pub members: Vec<UserId>,
    /// Up to where this member has read. It is read even where it is remembered: another server moves read marks without a row of the log.
    pub read_mark: Option<UserId>,
    /// Whether this user has used this nonce in the room.
    pub nonce: Option<(UserId, String)>,
    /// Whether this user has created a room with this nonce.
    pub room_nonce: Option<(UserId, String)>,
    /// Whether these two have a direct room (see [`crate::store::rooms::pair`]).
    pub pair: Option<Vec<u8>>,
    /// Who has been a member the longest.
    pub heir: bool,
}

impl Needs {
    /// Of a room that is there, how these users stand in it.
    pub(crate) fn of(members: impl IntoIterator<Item = UserId>) -> Self {
        Self { exists: true, members: members.into_iter().collect(), ..Self::default() }
    }
}
