//! Ids and names in paths. What cannot be an id is the id of nothing, so it is `not_found`, like any other that does not exist.

use contract::{Refusal, RoomId, Username};

/// A room's id out of a path or an event.
///
/// # Errors
/// `not_found`, in the words of a room that does not exist.
pub fn room_id(text: &str) -> Result<RoomId, Refusal> {
    RoomId::parse(text).ok_or_else(Refusal::no_room)
}

/// A username out of a path.
///
/// # Errors
/// `not_found`, in the words of a user who does not exist.
pub fn username(text: &str) -> Result<Username, Refusal> {
    Username::try_from(text).map_err(|_| Refusal::not_found("no such user").about("username"))
}
