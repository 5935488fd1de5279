//! What the messages service answers about a user's own state: a small store that follows the user over all devices.

use super::call;
use crate::{Cursor, Limit, Page, Patch, RoomId, Stamp, StateKey, StateValue, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A value of a user's own state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateItem {
    /// Its key.
    pub key: StateKey,
    /// The value.
    pub value: StateValue,
    /// Names the last change of it. Opaque.
    pub stamp: Stamp,
}

/// The caller's own state, by key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListState {
    /// Only keys that begin so.
    pub prefix: Option<StateKey>,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(ListState => Page<StateItem>, "messages.list_state");

/// One value of the caller's own state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetState {
    /// Its key. Where there is nothing it is `not_found`, field `key`.
    pub key: StateKey,
}
call!(GetState => StateItem, "messages.get_state");

/// Puts a value into the caller's own state. The value that is there already is answered, and told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutState {
    /// Its key. A user has at most [`crate::state::KEYS`]: `conflict`.
    pub key: StateKey,
    /// The value.
    pub value: StateValue,
    /// Only if this is the present stamp; cleared: only if nothing is there. Else `conflict`.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub if_stamp: Patch<Stamp>,
}
call!(PutState => StateItem, "messages.put_state");

/// Removes a value from the caller's own state. Where there is nothing it is fine and told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoveState {
    /// Its key.
    pub key: StateKey,
}
call!(RemoveState => (), "messages.remove_state");

/// What has changed of a user's own state and read marks since a cursor. Services only: a gateway asks for the user whom it has authenticated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateSince {
    /// Who.
    pub user: UserId,
    /// Since when.
    pub cursor: Cursor,
}
call!(StateSince => StateNews, "messages.state_since");

/// The answer to [`StateSince`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateNews {
    /// All of it. What was changed just at the cursor may be known already.
    Changes {
        /// The values as they are now.
        values: Vec<StateNow>,
        /// The read marks as they are now.
        marks: Vec<Mark>,
    },
    /// It is more than 256 KiB, or the cursor is too old or of another database: everything is to be read anew.
    Reset,
}

/// A user's own read mark, in a room or in a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// In which room.
    pub room: RoomId,
    /// In which thread: the seq of its first message. Absent for the room's own mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, nullable = false)]
    pub thread: Option<i64>,
    /// Read up to this seq.
    #[schema(minimum = 0)]
    pub read: i64,
    /// Messages of others past it: of the room, or of the thread.
    #[schema(minimum = 0)]
    pub unread: i64,
    /// Unread messages that mention you: as the room says it, or those of the thread past the mark. Counted up to 1,000.
    #[schema(minimum = 0)]
    pub mentions: i64,
}

/// The number of the last change of users' own state in each partition: see [`crate::log::StateChanges`]. Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateEnds {}
call!(StateEnds => Vec<i64>, "messages.state_ends");

/// Whose values have changed after a number of a partition, for a gateway that has missed hints. Services only. Refused as `busy` where the
/// database is of another epoch by now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateKeysAfter {
    /// The epoch to which the number belongs.
    pub epoch: u64,
    /// Which partition.
    pub partition: u16,
    /// Only changes after this one.
    pub after: i64,
    /// At most so many keys.
    pub limit: u16,
}
call!(StateKeysAfter => ChangedKeys, "messages.state_keys_after");

/// A page of [`StateKeysAfter`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedKeys {
    /// The keys, by the numbers of their last changes.
    pub keys: Vec<(UserId, StateKey)>,
    /// Users of whom something was removed since and is not known any more: what they have missed cannot be told.
    pub forgotten: Vec<UserId>,
    /// The number up to which all are told.
    pub end: i64,
    /// The partition's last position: all of them have changed there or before it.
    pub position: i64,
    /// Whether there are more.
    pub more: bool,
}

/// Values as they are now, at most 64. Services only. A key that is not known any more, because it was removed long ago, is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatesNow {
    /// Which.
    pub keys: Vec<(UserId, StateKey)>,
}
call!(StatesNow => Vec<(UserId, StateNow)>, "messages.states_now");

/// Most keys of one [`StatesNow`]: 1 MiB of values.
pub const STATES_AT_ONCE: usize = 64;

/// A value as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateNow {
    /// Its key.
    pub key: StateKey,
    /// The value; none if it was removed.
    pub value: Option<StateValue>,
    /// Names the last change of it.
    pub stamp: Stamp,
}
