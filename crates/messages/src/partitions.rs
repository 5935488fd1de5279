//! Into how many parts the log is divided, and which part a room is in.
//!
//! Positions count within a partition, and whoever appends to one waits for whoever else does. SQLite has one writer, so one partition
//! costs nothing; on PostgreSQL several connections commit side by side, each into a partition of its own. A room stands in one
//! partition for ever, so the numbers here are part of every database: they may not be changed (`guild copy` renumbers).

use contract::RoomId;
use db::{Db, Engine, Error};
use sha2::{Digest, Sha256};

/// The partitions of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions(u16);

/// PostgreSQL's, from design.md: enough for a few machines' commits to overlap, few enough that every cursor stays short.
const POSTGRES: u16 = 4;

/// What the locks of partitions are called on PostgreSQL: this number and the partition's. `GILD`, and room for 2^16.
const LOCKS: i64 = 0x4749_4c44 << 16;

impl Partitions {
    /// Those of this database.
    pub fn of(db: &Db) -> Self {
        Self::on(db.engine())
    }

    /// Those of every database on this engine.
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

    /// The one that a room stands in. The last byte of a room's id is random (UUID version 7).
    pub fn of_room(self, room: RoomId) -> u16 {
        let [.., last] = room.bytes();
        u16::from(last) % self.0
    }
}

impl Partitions {
    /// An id for a new room. Whatever may stand once only (a pair, a nonce of somebody) is its key: rooms of one key stand in one partition, and
    /// so their writer alone decides which is the first. Without a key it is any partition.
    pub(crate) fn new_room(self, key: Option<&[u8]>) -> RoomId {
        let mut id = RoomId::new().bytes();
        if let (Some(key), [.., last]) = (key, &mut id) {
            let digest = Sha256::digest(key);
            let wanted = digest.first().map_or(0, |byte| u16::from(*byte) % self.0);
            let shift = wanted + self.0 - u16::from(*last) % self.0;
            // As far as to the one that is wanted, and back where there are no more bytes.
            let moved = (u16::from(*last) + shift % self.0) % 256;
            *last = u8::try_from(moved).unwrap_or(*last);
        }
        RoomId::from_bytes(id)
    }
}

/// The lock that whoever appends to a partition holds until the commit (see [`db::Tx::lock`]).
pub(crate) fn lock(part: u16) -> i64 {
    LOCKS + i64::from(part)
}

/// A partition's number out of the database.
pub(crate) fn number(stored: i64) -> Result<u16, Error> {
    u16::try_from(stored).map_err(|_| Error::Failed(format!("a row of the log in partition {stored}")))
}
