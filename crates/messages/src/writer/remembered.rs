//! What a writer remembers of the database from one transaction to the next, so that a send into a busy room reads nothing. It is
//! bounded, and forgotten where anybody else has written or a transaction has failed.

use crate::store::log::LogRow;
use crate::store::members::MemberRow;
use crate::store::rooms::RoomRow;
use contract::{RoomId, RoomKind, Time, UserId};
use lru::LruCache;
use std::num::NonZeroUsize;

/// Rooms and members remembered, each, for one partition. At some 200 bytes an entry the two together stay under 30 MB.
const ENTRIES: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Where a room stands.
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
}

impl RoomState {
    /// Of a room's row, and the newest row of its log.
    pub(super) fn of(room: RoomRow, head: Option<&LogRow>) -> Self {
        Self {
            kind: room.kind,
            name: room.name,
            owner: room.owner,
            member_count: room.member_count,
            head: head.and_then(|row| row.seq).unwrap_or(0),
            messages: head.map_or(0, |row| row.messages),
            newest: head.map_or(0, |row| row.newest),
        }
    }
}

/// Where somebody stands in a room.
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

pub(super) struct Remembered {
    /// On a database that nobody shares: its [`db::Tx::generation`] that this belongs to.
    pub generation: Option<u64>,
    /// The database's epoch that this belongs to: after another one has begun it holds of nothing, whatever the position is.
    pub epoch: u64,
    /// The partition's last position.
    pub position: i64,
    /// The time of the log's last row.
    pub time: Time,
    /// Up to which position the partition was indexed when it was last looked at.
    pub indexed: i64,
    pub rooms: LruCache<RoomId, RoomState>,
    pub members: LruCache<(RoomId, UserId), MemberState>,
}

impl Default for Remembered {
    fn default() -> Self {
        // Unbounded to the library, which would otherwise allocate for the bound at once; `trim` keeps the bound.
        Self {
            generation: None,
            epoch: 0,
            position: 0,
            time: Time(0),
            indexed: 0,
            rooms: LruCache::unbounded(),
            members: LruCache::unbounded(),
        }
    }
}

impl Remembered {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Forgets what was not used for the longest time, down to the bound. Called between transactions, so that within one everything
    /// that it has changed stays remembered.
    pub(super) fn trim(&mut self) {
        while self.rooms.len() > ENTRIES.get() {
            self.rooms.pop_lru();
        }
        while self.members.len() > ENTRIES.get() {
            self.members.pop_lru();
        }
    }
}
