//! What a message must be, besides having the words of the query: its sender, its thread, whom it mentions, whether it is pinned. A filter compares the message as it is now.
//!
//! One with an index of its own also names its messages ([`Filters::named`]), so that only those are looked at. That index is always up to date,
//! unlike the index of words.

use crate::extra::Extra;
use crate::store::log::LogRow;
use crate::store::{mentions, pinned, threads};
use contract::{RoomId, UserId};
use db::{Error, Tx};

/// Most rooms and messages that one call looks up in a partition: some 30 ms.
const LOOKED_UP: usize = 8_192;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filters {
    pub sender: Option<UserId>,
    pub pinned: bool,
    /// The thread of the one room that is searched.
    pub thread: Option<i64>,
    /// Whom it mentions.
    pub mentions: Option<UserId>,
}

impl Filters {
    /// Whether they let a message through. Its state has to be attached.
    pub(crate) fn let_through(&self, row: &LogRow) -> bool {
        self.sender.is_none_or(|sender| sender == row.actor)
            && (!self.pinned || row.state().is_some_and(|state| state.pinned.is_some()))
            && self.thread.is_none_or(|root| row.thread.is_some_and(|place| place.root == root))
            && self.mentions.is_none_or(|user| mentions(row, user))
    }

    /// The positions of messages in these rooms of one partition, the newest first; all that the filters let through are among them. None if no
    /// filter names its messages, or if they are too many to look them all up. Adds to `looked_at` how many were looked up.
    pub(crate) async fn named(&self, tx: &mut Tx, rooms: &[RoomId], looked_at: &mut usize) -> Result<Option<Vec<i64>>, Error> {
        let Some(most) = LOOKED_UP.checked_sub(rooms.len()) else { return Ok(None) };
        let mut positions = match *self {
            Self { thread: Some(root), .. } => threads::positions(tx, rooms, root, most + 1).await?,
            Self { mentions: Some(user), .. } => mentions::positions(tx, rooms, user, most + 1).await?,
            Self { pinned: true, .. } => pinned::positions(tx, rooms, most + 1).await?,
            Self { .. } => return Ok(None),
        };
        *looked_at += rooms.len() + positions.len();
        if positions.len() > most {
            return Ok(None);
        }
        positions.sort_unstable_by_key(|position| std::cmp::Reverse(*position));
        Ok(Some(positions))
    }
}

/// Whether a message mentions a user, who has not sent it.
fn mentions(row: &LogRow, user: UserId) -> bool {
    let ids = Extra::mentions(row.extra_now());
    row.actor != user && (ids.room || ids.users.contains(&user))
}
