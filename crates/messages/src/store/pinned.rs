//! The pinned messages of rooms, the newest pin first. A pin's place in its room's list is the seq of its row in the log.

use super::lists::{self, RoomAndReader, digits, gathered, index, lists, pairs};
use super::log::{COLUMNS, LogRow, columns_of, log_row};
use super::sets::{Size, within};
use super::state::size_of_state;
use contract::{RoomId, UserId};
use db::{Error, Row, Tx, values};

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

/// Pinned messages of a room, the newest pin first.
#[derive(Clone, Default)]
pub(crate) struct PinnedRows {
    pub rows: Vec<LogRow>,
    /// Whether there are pins before these.
    pub more: bool,
}

/// Up to `limit` pinned messages of each room, only pins before the given one. The bodies of all rooms together have at most so many bytes, but
/// each room gets one message at least. The sizes are read first, so that no more than that is in memory.
pub(crate) async fn of_each(
    tx: &mut Tx,
    pairs: &[RoomAndReader],
    before: i64,
    limit: usize,
    bytes: usize,
) -> Result<Vec<PinnedRows>, Error> {
    const SQL: &str = pairs!(
        " SELECT ",
        columns_of!("l"),
        ", CAST(p.n AS BIGINT) FROM pairs p CROSS JOIN message_state s CROSS JOIN log l
            WHERE s.room = p.room AND s.pin_seq IS NOT NULL
                AND s.pin_seq >= CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
                AND s.pin_seq <= CAST(substr(CAST($4 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
                AND l.room = s.room AND l.seq = s.seq AND l.kind = 2
            ORDER BY p.n, s.pin_seq DESC"
    );
    // One more than the limit shows that there are more.
    let mut sizes = sizes(tx, pairs, before, limit.saturating_add(1)).await?;
    let counts: Vec<usize> = sizes.iter().map(Vec::len).collect();
    sizes.iter_mut().for_each(|sizes| _ = sizes.drain(..sizes.len().saturating_sub(limit)));
    let ranges = within(&sizes, true, bytes);
    let (some, ends): (Vec<RoomAndReader>, Vec<(i64, i64)>) =
        pairs.iter().zip(&ranges).filter_map(|(pair, range)| Some((*pair, (*range)?))).unzip();
    if some.is_empty() {
        return Ok(vec![PinnedRows::default(); pairs.len()]);
    }
    let [rooms, readers] = lists(&some);
    let from: String = ends.iter().map(|(first, _)| digits(*first)).collect();
    let to: String = ends.iter().map(|(_, last)| digits(*last)).collect();
    let found = tx.rows(SQL, &values![rooms, readers, from, to], |row| Ok((index(row, COLUMNS)?, log_row(row)?))).await?;
    let mut found = gathered(some.len(), found).into_iter();
    let of_room = |(range, count): (&Option<(i64, i64)>, usize)| {
        let rows = range.and_then(|_| found.next()).unwrap_or_default();
        PinnedRows { more: rows.len() < count, rows }
    };
    Ok(ranges.iter().zip(counts).map(of_room).collect())
}

/// The sizes of each room's newest pinned messages before the given pin, by their pins, ascending.
async fn sizes(tx: &mut Tx, pairs: &[RoomAndReader], before: i64, limit: usize) -> Result<Vec<Vec<Size>>, Error> {
    const SQL: &str = pairs!(
        ", edges AS MATERIALIZED (
            SELECT n, room, (SELECT e.pin_seq FROM message_state e WHERE e.room = p.room AND e.pin_seq IS NOT NULL AND e.pin_seq < $3
                ORDER BY e.pin_seq DESC LIMIT 1 OFFSET $4) AS pin_seq FROM pairs p)
        SELECT s.pin_seq, CAST(COALESCE(octet_length(l.payload), 0) + COALESCE(octet_length(l.extra), 0) + ",
        size_of_state!(),
        " AS BIGINT), CAST(t.n AS BIGINT) FROM edges t
            CROSS JOIN message_state s CROSS JOIN log l WHERE s.room = t.room AND s.pin_seq IS NOT NULL AND s.pin_seq < $3 AND s.pin_seq >= COALESCE(t.pin_seq, 0)
                AND l.room = s.room AND l.seq = s.seq AND l.kind = 2
            ORDER BY t.n, s.pin_seq"
    );
    let [rooms, readers] = lists(pairs);
    let last = i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(1).max(0);
    let size = |row: &Row<'_>| Ok((index(row, 2)?, (row.int(0)?, usize::try_from(row.int(1)?).unwrap_or(0))));
    let found = tx.rows(SQL, &values![rooms, readers, before, last], size).await?;
    Ok(gathered(pairs.len(), found))
}
