//! The pinned messages of rooms, the newest pin first. A pin's place in its room's list is the seq of its row in the log.

use super::lists::{self, lists, pairs};
use contract::{RoomId, UserId};
use db::{Error, Tx, values};

/// The seqs of a room's pinned messages, each with the seq of its pin; the newest pin first, only pins before the given one.
pub(crate) async fn of_room(tx: &mut Tx, room: RoomId, before: i64, limit: i64) -> Result<Vec<(i64, i64)>, Error> {
    let sql =
        "SELECT seq, pin_seq FROM message_state WHERE room = $1 AND pin_seq IS NOT NULL AND pin_seq < $2 ORDER BY pin_seq DESC LIMIT $3";
    tx.rows(sql, &values![room.bytes(), before, limit], |row| Ok((row.int(0)?, row.int(1)?))).await
}

/// The positions of the pinned messages of these rooms, in no order; at most `limit` of them.
pub(crate) async fn positions(tx: &mut Tx, rooms: &[RoomId], limit: usize) -> Result<Vec<i64>, Error> {
    const SQL: &str = pairs!(
        " SELECT (SELECT l.position FROM log l WHERE l.room = s.room AND l.seq = s.seq) FROM pairs p
            CROSS JOIN message_state s WHERE s.room = p.room AND s.pin_seq > 0 LIMIT $3"
    );
    let mut positions = Vec::new();
    for rooms in rooms.chunks(lists::AT_ONCE) {
        let left = i64::try_from(limit.saturating_sub(positions.len())).unwrap_or(i64::MAX);
        if left == 0 {
            break;
        }
        // Nobody's own view is asked for, so the list of readers is a filler.
        let [rooms, readers] = lists(&rooms.iter().map(|room| (*room, UserId::from_bytes([0; 16]))).collect::<Vec<_>>());
        positions.extend(tx.rows(SQL, &values![rooms, readers, left], |row| row.maybe_int(0)).await?.into_iter().flatten());
    }
    Ok(positions)
}
