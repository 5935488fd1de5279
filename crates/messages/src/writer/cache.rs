//! The writer's cache of rooms and members, kept from one transaction to the next, so that a send into a busy room reads nothing. It is
//! bounded. Entries go when another process has written, and all of them when a transaction has failed.

use crate::store::log::LogRow;
use crate::store::members::MemberRow;
use crate::store::rooms::RoomRow;
use contract::{RoomId, RoomKind, Time, UserId};
use lru::LruCache;
use std::num::NonZeroUsize;

/// Most rooms, and most members, in the cache of one partition. At some 200 bytes an entry both together stay under 30 MB.
const ENTRIES: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// In rooms with more members than this, changes of reactions are told together (rich.md, "Reactions").
const TOLD_ONE_BY_ONE: i64 = 1_000;

/// The present state of a room.
#[derive(Clone, Debug)]
pub(crate) struct RoomState {
    pub kind: RoomKind,
    pub name: Option<String>,
    pub owner: UserId,
    pub member_count: i64,
    /// The newest seq.
    pub head: i64,
    /// How many messages it holds.
    pub messages: i64,
    /// The newest message's seq.
    pub newest: i64,
    /// The time of its newest row that is about no earlier message.
    pub active_at: Time,
}

impl RoomState {
    /// Whether it is so large that changes of reactions are told together.
    pub(crate) fn tells_reactions_together(&self) -> bool {
        self.member_count > TOLD_ONE_BY_ONE
    }

    /// Takes a room's row and the newest row of its log.
    pub(super) fn of(room: RoomRow, head: Option<&LogRow>) -> Self {
        Self {
            kind: room.kind,
            name: room.name,
            owner: room.owner,
            member_count: room.member_count,
            head: head.and_then(|row| row.seq).unwrap_or(0),
            messages: head.map_or(0, |row| row.messages),
            newest: head.map_or(0, |row| row.newest),
            active_at: head.map_or(room.created_at, LogRow::active_at),
        }
    }
}

/// The present state of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberState {
    pub active: bool,
    pub read: i64,
}

impl From<MemberRow> for MemberState {
    fn from(row: MemberRow) -> Self {
        Self { active: row.active, read: row.read }
    }
}

/// See the module.
pub(super) struct WriterCache {
    /// On a database that is not shared: the [`db::Tx::generation`] for which this is valid.
    pub generation: Option<u64>,
    /// The database's epoch for which this is valid.
    pub epoch: u64,
    /// The partition's last position.
    pub position: i64,
    /// The time of the log's last row.
    pub time: Time,
    /// The number of the partition's last change of users' own state.
    pub state_end: i64,
    /// The last known position up to which the partition is indexed for search.
    pub indexed: i64,
    pub rooms: LruCache<RoomId, RoomState>,
    pub members: LruCache<(RoomId, UserId), MemberState>,
}

impl Default for WriterCache {
    fn default() -> Self {
        // A bounded `LruCache` allocates all of its entries at once; `trim` keeps the bound instead.
        Self {
            generation: None,
            epoch: 0,
            position: 0,
            time: Time(0),
            state_end: 0,
            indexed: 0,
            rooms: LruCache::unbounded(),
            members: LruCache::unbounded(),
        }
    }
}

impl WriterCache {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Removes the least recently used entries down to the bound. Called between transactions: within one, all that it has changed must
    /// stay.
    pub(super) fn trim(&mut self) {
        while self.rooms.len() > ENTRIES.get() {
            self.rooms.pop_lru();
        }
        while self.members.len() > ENTRIES.get() {
            self.members.pop_lru();
        }
    }
}
