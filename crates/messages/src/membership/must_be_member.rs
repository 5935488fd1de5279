//! The check of every call that only reads a room.

use crate::access;
use crate::store::rooms::RoomRow;
use crate::store::{members, rooms};
use contract::{Refusal, RoomId, UserId};
use db::{Error, Tx};

/// The room, for one of its members; else why not.
pub(crate) async fn must_be_member(tx: &mut Tx, room: RoomId, reader: UserId) -> Result<Result<RoomRow, Refusal>, Error> {
    let Some(row) = rooms::find(tx, room).await? else { return Ok(Err(Refusal::no_room())) };
    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
    Ok(access::member_only(row.kind, is_member).map(|()| row))
}
