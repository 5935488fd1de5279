//! Into how many parts the log is divided, and which part a room is in.
//!
//! Positions count within a partition, and whoever appends to one waits for whoever else does. SQLite has one writer, so one partition
//! costs nothing; on PostgreSQL several connections commit side by side, each into a partition of its own. A room stands in one
//! partition for ever, so the numbers here are part of every database: they may not be changed (`guild copy` renumbers).

use contract::RoomId;
use db::{Db, Engine, Error};

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

/// The lock that whoever appends to a partition holds until the commit (see [`db::Tx::lock`]).
pub(crate) fn lock(part: u16) -> i64 {
    LOCKS + i64::from(part)
}

/// A partition's number out of the database.
pub(crate) fn number(stored: i64) -> Result<u16, Error> {
    u16::try_from(stored).map_err(|_| Error::Failed(format!("a row of the log in partition {stored}")))
}
