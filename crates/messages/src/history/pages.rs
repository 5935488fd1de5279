//! What is paged: a room's messages, or those of one of its threads.

use crate::store::log::{self, LogRow};
use crate::store::pages;
use crate::threads::must_be_root;
use contract::{Refusal, RoomId};
use db::{Error, Tx};

/// See the module.
pub(super) struct Pages {
    room: RoomId,
    thread: Option<i64>,
    last: i64,
}

impl Pages {
    /// Those of a room, or of a thread of it; refused if there is no such thread. The caller has checked that the reader may read the room.
    pub(super) async fn of(tx: &mut Tx, room: RoomId, thread: Option<i64>) -> Result<Result<Self, Refusal>, Error> {
        let last = match thread {
            None => log::head(tx, room).await?.map_or(0, |head| head.newest),
            Some(root) => {
                if let Err(refusal) = must_be_root(tx, room, root).await? {
                    return Ok(Err(refusal));
                }
                pages::thread_before(tx, room, root, i64::MAX, 1).await?.first().and_then(|row| row.seq).unwrap_or(0)
            }
        };
        Ok(Ok(Self { room, thread, last }))
    }

    /// The seq of the newest of them; 0 for none.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Those with a smaller seq, the newest first.
    pub(super) async fn before(&self, tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
        match self.thread {
            None => pages::before(tx, self.room, seq, limit).await,
            Some(root) => pages::thread_before(tx, self.room, root, seq, limit).await,
        }
    }

    /// Those with a larger seq, the oldest first.
    pub(super) async fn after(&self, tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
        match self.thread {
            None => pages::after(tx, self.room, seq, limit).await,
            Some(root) => pages::thread_after(tx, self.room, root, seq, limit).await,
        }
    }
}
