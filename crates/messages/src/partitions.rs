//! The partitions of the log, and which one a room is in.
//!
//! Positions count within a partition, and appends to one partition happen one after the other. SQLite has one writer, so one partition costs
//! nothing. On PostgreSQL several connections commit side by side, each to a partition of its own. A room stays in its partition for ever, so
//! the numbers here are part of every database and may not change (`guild copy` renumbers).

use contract::RoomId;
use db::{Db, Engine, Error};
use sha2::{Digest, Sha256};

/// The partitions of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions(u16);

/// PostgreSQL's number: enough for the commits of a few machines to overlap, and few enough for short cursors.
const POSTGRES: u16 = 4;

/// The first of the partitions' lock numbers on PostgreSQL: a lock is this plus the partition. `GILD`, and room for 2^16.
const LOCKS: i64 = 0x4749_4c44 << 16;

impl Partitions {
    /// The partitions of this database.
    pub fn of(db: &Db) -> Self {
        Self::on(db.engine())
    }

    /// The partitions of every database on this engine.
    pub fn on(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self(1),
            Engine::Postgres => Self(POSTGRES),
        }
    }

    /// How many there are.
    pub fn count(self) -> u16 {
        self.0
    }

    /// All of them, ascending.
    pub fn all(self) -> std::ops::Range<u16> {
        0..self.0
    }

    /// A room's partition. The last byte of a room's id is random (UUID version 7).
    pub fn of_room(self, room: RoomId) -> u16 {
        let [.., last] = room.bytes();
        u16::from(last) % self.0
    }
}

impl Partitions {
    /// An id for a new room. Its key is what must be unique (a pair, or a user's nonce). Rooms of one key are in one partition, so one writer
    /// alone decides which is the first. Without a key it is any partition.
    pub(crate) fn new_room(self, key: Option<&[u8]>) -> RoomId {
        let mut id = RoomId::new().bytes();
        if let (Some(key), [.., last]) = (key, &mut id) {
            let digest = Sha256::digest(key);
            let wanted = digest.first().map_or(0, |byte| u16::from(*byte) % self.0);
            let shift = wanted + self.0 - u16::from(*last) % self.0;
            // Up to the wanted partition; past 255 it wraps around.
            let moved = (u16::from(*last) + shift % self.0) % 256;
            *last = u8::try_from(moved).unwrap_or(*last);
        }
        RoomId::from_bytes(id)
    }
}

/// The lock that a transaction holds while it appends to a partition, until the commit (see [`db::Tx::lock`]).
pub(crate) fn lock(part: u16) -> i64 {
    LOCKS + i64::from(part)
}

/// A partition's number out of the database.
pub(crate) fn number(stored: i64) -> Result<u16, Error> {
    u16::try_from(stored).map_err(|_| Error::Failed(format!("a row of the log in partition {stored}")))
}
