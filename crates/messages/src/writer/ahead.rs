//! What a batch's operations will look at, read beforehand and together: on a database that is some way off, a look-up costs the way
//! there and back, and so would each of a thousand operations.

use super::operation::Needs;
use super::remembered::{MemberState, Remembered, RoomState};
use crate::store::log::LogRow;
use crate::store::{log, members, rooms};
use contract::{RoomId, UserId};
use db::{Error, Tx};
use std::collections::{HashMap, HashSet};

/// Nonces, each of a sender in a room, with the message that was sent with it.
pub(super) type Nonces = HashMap<(RoomId, UserId, String), Option<LogRow>>;

/// Reads where rooms and members stand that are not remembered, and looks for every nonce.
pub(super) async fn read(tx: &mut Tx, remembered: &mut Remembered, wanted: Vec<(RoomId, Needs)>) -> Result<Nonces, Error> {
    let (mut in_rooms, mut of_members, mut nonces) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (room, needs) in wanted {
        if !remembered.rooms.contains(&room) {
            in_rooms.insert(room);
        }
        let Some(member) = needs.member else { continue };
        if !remembered.members.contains(&(room, member)) {
            of_members.insert((room, member));
        }
        nonces.extend(needs.nonce.map(|nonce| (room, member, nonce)));
    }
    let in_rooms: Vec<RoomId> = in_rooms.into_iter().collect();
    if !in_rooms.is_empty() {
        let rows = rooms::find_each(tx, &in_rooms).await?;
        let heads = log::head_each(tx, &in_rooms).await?;
        for ((id, row), head) in in_rooms.into_iter().zip(rows).zip(heads) {
            row.map(|row| remembered.rooms.put(id, RoomState::of(row, head.as_ref())));
        }
    }
    let of_members: Vec<(RoomId, UserId)> = of_members.into_iter().collect();
    if !of_members.is_empty() {
        let rows = members::find_each(tx, &of_members).await?;
        for (key, row) in of_members.into_iter().zip(rows) {
            row.map(|row| remembered.members.put(key, MemberState::from(row)));
        }
    }
    let nonces: Vec<(RoomId, UserId, String)> = nonces.into_iter().collect();
    let found = if nonces.is_empty() { Vec::new() } else { log::by_nonce_each(tx, &nonces).await? };
    Ok(nonces.into_iter().zip(found).collect())
}
