//! What a batch has decided and not written yet. All of it is written together, in a handful of statements however many operations there
//! were: on a database that is some way off, each way there and back would be waited for by everybody in the batch.

use super::remembered::Remembered;
use crate::store::log::{self, LogRow};
use crate::store::members::{self, Entered, Stay};
use crate::store::rooms::{self, NewRoom};
use contract::{RoomId, UserId};
use db::{Error, Tx};
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Changes {
    /// Rooms that are new.
    rooms: Vec<NewRoom>,
    /// Rooms of which something has changed. What they are now is remembered.
    changed: HashSet<RoomId>,
    /// Memberships that begin. One that ends in the same batch has its end already.
    begun: Vec<Stay>,
    /// Memberships that were there and end: the member, the room, and where.
    ended: Vec<(UserId, RoomId, i64, i64)>,
    /// Members who came in, as they stand at the batch's end.
    entered: HashMap<(RoomId, UserId), Entered>,
    /// Members who were there and have left.
    left: HashSet<(RoomId, UserId)>,
    /// Read marks that moved: written once, however often each moved.
    read: HashMap<(RoomId, UserId), i64>,
}

impl Changes {
    pub(super) fn create(&mut self, room: NewRoom) {
        self.rooms.push(room);
    }

    /// What is remembered of the room has changed.
    pub(super) fn save(&mut self, room: RoomId) {
        self.changed.insert(room);
    }

    /// Somebody becomes a member with this position; `seq` is what they have read up to.
    pub(super) fn enter(&mut self, room: RoomId, member: UserId, (part, position): (u16, i64), seq: i64) {
        self.begun.push(Stay { member, room, part, from_position: position, from_seq: seq, end: None });
        self.entered.insert((room, member), Entered { active: true, since: position, read: seq });
        self.left.remove(&(room, member));
        self.read.remove(&(room, member));
    }

    /// A membership ends with this position and seq.
    pub(super) fn leave(&mut self, room: RoomId, member: UserId, position: i64, seq: i64) {
        match self.begun.iter_mut().rev().find(|stay| stay.end.is_none() && (stay.room, stay.member) == (room, member)) {
            Some(stay) => stay.end = Some((position, seq)),
            None => self.ended.push((member, room, position, seq)),
        }
        match self.entered.get_mut(&(room, member)) {
            Some(entered) => entered.active = false,
            None => _ = self.left.insert((room, member)),
        }
    }

    pub(super) fn mark_read(&mut self, room: RoomId, member: UserId, seq: i64) {
        self.read.insert((room, member), seq);
    }

    /// Writes all of it, with these rows of the log.
    pub(super) async fn write(&mut self, tx: &mut Tx, rows: &[LogRow], remembered: &mut Remembered) -> Result<(), Error> {
        let Self { rooms, changed, begun, ended, entered, left, read } = std::mem::take(self);
        // The log and memberships refer to rooms; a membership ends before the next one of the same member begins.
        rooms::insert_each(tx, &rooms).await?;
        if !rows.is_empty() && !log::append(tx, rows).await?.into_iter().all(|written| written) {
            return Err(Error::Conflict("log.nonce: it was not there when this batch began".to_owned()));
        }
        members::end_stays(tx, &ended).await?;
        members::begin_stays(tx, &begun).await?;
        members::enter_each(tx, entered.into_iter()).await?;
        members::leave_each(tx, left.into_iter()).await?;
        let changed = changed.into_iter().filter_map(|id| {
            let room = remembered.rooms.peek(&id)?;
            Some((id, room.name.clone(), room.owner, room.member_count))
        });
        rooms::update_each(tx, changed).await?;
        members::mark_read(tx, read.into_iter()).await
    }
}
