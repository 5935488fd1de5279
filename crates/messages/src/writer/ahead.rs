//! What a batch's operations will look at, read beforehand and together: on a database that is some way off, a look-up costs the way
//! there and back, and so would each of a thousand operations.

use super::needs::Needs;
use super::remembered::{MemberState, Remembered, RoomState};
use crate::store::log::LogRow;
use crate::store::rooms::Earlier;
use crate::store::{log, members, rooms, sets};
use contract::{RoomId, UserId};
use db::{Error, Tx};
use std::collections::{HashMap, HashSet};

/// A user's nonce: of a send in a room, or of a room that the user creates.
type SendNonce = (RoomId, UserId, String);
type RoomNonce = (UserId, String);

/// Heirs that are read of a room at the most: so many owners may leave one after the other in one batch before another look is needed.
const HEIRS: usize = 16;

/// What was looked up beforehand, or has changed since. What is not in it was not looked up; what is in it and empty is not there.
#[derive(Default)]
pub(super) struct Ahead {
    /// The message that was sent with each nonce.
    pub nonces: HashMap<SendNonce, Option<LogRow>>,
    /// The rooms that were created with each nonce: two, where a direct room and another one were asked for at the same moment.
    pub room_nonces: HashMap<RoomNonce, Vec<Earlier>>,
    /// The direct room of each pair.
    pub pairs: HashMap<Vec<u8>, Option<RoomId>>,
    /// Rooms that there are not.
    pub no_rooms: HashSet<RoomId>,
    /// Who was never in a room.
    pub no_members: HashSet<(RoomId, UserId)>,
    /// Who has been in each room the longest, so far as was read, and whether that is everybody.
    pub heirs: HashMap<RoomId, Heirs>,
}

/// Members of a room, those who have been in the longest first.
pub(super) struct Heirs {
    members: Vec<UserId>,
    is_all: bool,
}

impl Heirs {
    /// Who has been in the longest; `None` where that was not read.
    pub(super) fn first(&self) -> Option<Option<UserId>> {
        match self.members.first() {
            Some(first) => Some(Some(*first)),
            None => self.is_all.then_some(None),
        }
    }
}

impl Ahead {
    /// Reads where rooms and members stand that are not remembered, and looks for every nonce and pair.
    pub(super) async fn read(tx: &mut Tx, remembered: &mut Remembered, wanted: Vec<(RoomId, Needs)>) -> Result<Self, Error> {
        let (mut in_rooms, mut of_members, mut of_heirs) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (mut nonces, mut room_nonces, mut pairs) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (room, needs) in wanted {
            // One that is to be created is not there.
            if needs.exists && !remembered.rooms.contains(&room) {
                in_rooms.insert(room);
            }
            of_members.extend(needs.members.into_iter().map(|member| (room, member)).filter(|key| !remembered.members.contains(key)));
            of_members.extend(needs.read_mark.map(|member| (room, member)));
            nonces.extend(needs.nonce.map(|(sender, nonce)| (room, sender, nonce)));
            room_nonces.extend(needs.room_nonce);
            pairs.extend(needs.pair);
            if needs.heir {
                of_heirs.insert(room);
            }
        }
        let mut ahead = Self::default();
        ahead.read_rooms(tx, remembered, in_rooms.into_iter().collect()).await?;
        ahead.read_members(tx, remembered, of_members.into_iter().collect()).await?;
        let nonces: Vec<SendNonce> = nonces.into_iter().collect();
        let found = log::by_nonce_each(tx, &nonces).await?;
        ahead.nonces = nonces.into_iter().zip(found).collect();
        let room_nonces: Vec<RoomNonce> = room_nonces.into_iter().collect();
        let found = rooms::find_nonce_each(tx, &room_nonces).await?;
        ahead.room_nonces = room_nonces.into_iter().zip(found).collect();
        let pairs: Vec<Vec<u8>> = pairs.into_iter().collect();
        let found = rooms::find_pair_each(tx, &pairs).await?;
        ahead.pairs = pairs.into_iter().zip(found).collect();
        ahead.read_heirs(tx, of_heirs.into_iter().collect()).await?;
        Ok(ahead)
    }

    async fn read_rooms(&mut self, tx: &mut Tx, remembered: &mut Remembered, ids: Vec<RoomId>) -> Result<(), Error> {
        let rows = rooms::find_each(tx, &ids).await?;
        let heads = log::head_each(tx, &ids).await?;
        for ((id, row), head) in ids.into_iter().zip(rows).zip(heads) {
            match row {
                Some(row) => _ = remembered.rooms.put(id, RoomState::of(row, head.as_ref())),
                None => _ = self.no_rooms.insert(id),
            }
        }
        Ok(())
    }

    async fn read_members(&mut self, tx: &mut Tx, remembered: &mut Remembered, keys: Vec<(RoomId, UserId)>) -> Result<(), Error> {
        let rows = members::find_each(tx, &keys).await?;
        for (key, row) in keys.into_iter().zip(rows) {
            match row {
                Some(row) => _ = remembered.members.put(key, MemberState::from(row)),
                None => _ = self.no_members.insert(key),
            }
        }
        Ok(())
    }

    async fn read_heirs(&mut self, tx: &mut Tx, ids: Vec<RoomId>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        // Nobody reads: these are pairs of a room and who asks about it.
        let pairs: Vec<sets::Pair> = ids.iter().map(|room| (*room, UserId::from_bytes([0; 16]))).collect();
        let found = sets::members(tx, &pairs, None, HEIRS).await?;
        for (room, members) in ids.into_iter().zip(found) {
            let is_all = members.len() < HEIRS;
            self.heirs.insert(room, Heirs { members: members.into_iter().map(|(_, member)| member).collect(), is_all });
        }
        Ok(())
    }

    /// Somebody came in, and is the last to inherit.
    pub(super) fn entered(&mut self, room: RoomId, member: UserId) {
        if let Some(heirs) = self.heirs.get_mut(&room).filter(|heirs| heirs.is_all) {
            heirs.members.push(member);
        }
    }

    /// Somebody is in no more.
    pub(super) fn left(&mut self, room: RoomId, member: UserId) {
        if let Some(heirs) = self.heirs.get_mut(&room) {
            heirs.members.retain(|heir| *heir != member);
        }
    }
}
