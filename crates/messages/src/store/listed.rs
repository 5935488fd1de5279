//! Messages that stand in a list of their room, of several rooms at once: the pinned ones, and those with which threads begin. Each statement is a
//! single one for any number of rooms ([`super::lists`]).

use super::lists::{RoomAndReader, digits, gathered, index, lists, pairs};
use super::log::{COLUMNS, LogRow, columns_of, log_row};
use super::sets::{Size, within};
use super::state::size_of_state;
use db::{Error, Row, Tx, values};

/// Which list. A message's place in it is a seq, and the highest place comes first.
#[derive(Clone, Copy)]
pub(crate) enum List {
    /// Pinned messages, each at the seq of its pin.
    Pins,
    /// Messages with which a thread begins, each at the seq of the thread's newest message that was not deleted.
    Threads,
}

impl List {
    /// Where a message stands, whose state is attached; none for one that is not in the list.
    pub(crate) fn place(self, row: &LogRow) -> Option<i64> {
        let state = row.state()?;
        match self {
            Self::Pins => state.pinned.map(|(pin, _, _)| pin),
            Self::Threads => state.thread.as_ref()?.last.map(|(last, _)| last),
        }
    }
}

/// Messages of a room's list, the highest place first.
#[derive(Clone, Default)]
pub(crate) struct ListedRows {
    pub rows: Vec<LogRow>,
    /// Whether others follow.
    pub more: bool,
}

/// Up to `limit` messages of each room's list, only those at a place before the given one. The bodies of all rooms together have at most so many
/// bytes, but each room gets one message at least. The sizes are read first, so that no more than that is in memory.
pub(crate) async fn of_each(
    tx: &mut Tx,
    list: List,
    pairs: &[RoomAndReader],
    before: i64,
    limit: usize,
    bytes: usize,
) -> Result<Vec<ListedRows>, Error> {
    macro_rules! rows {
        ($place:literal) => {
            pairs!(
                " SELECT ",
                columns_of!("l"),
                ", CAST(p.n AS BIGINT) FROM pairs p CROSS JOIN message_state s CROSS JOIN log l
                    WHERE s.room = p.room AND s.",
                $place,
                " IS NOT NULL AND s.",
                $place,
                " >= CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT) AND s.",
                $place,
                " <= CAST(substr(CAST($4 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
                        AND l.room = s.room AND l.seq = s.seq AND l.kind = 2
                    ORDER BY p.n, s.",
                $place,
                " DESC"
            )
        };
    }
    let sql = match list {
        List::Pins => rows!("pin_seq"),
        List::Threads => rows!("thread_last_seq"),
    };
    // One more than the limit shows that there are more.
    let mut sizes = sizes(tx, list, pairs, before, limit.saturating_add(1)).await?;
    let counts: Vec<usize> = sizes.iter().map(Vec::len).collect();
    sizes.iter_mut().for_each(|sizes| _ = sizes.drain(..sizes.len().saturating_sub(limit)));
    let ranges = within(&sizes, true, bytes);
    let (some, ends): (Vec<RoomAndReader>, Vec<(i64, i64)>) =
        pairs.iter().zip(&ranges).filter_map(|(pair, range)| Some((*pair, (*range)?))).unzip();
    if some.is_empty() {
        return Ok(vec![ListedRows::default(); pairs.len()]);
    }
    let [rooms, readers] = lists(&some);
    let from: String = ends.iter().map(|(first, _)| digits(*first)).collect();
    let to: String = ends.iter().map(|(_, last)| digits(*last)).collect();
    let found = tx.rows(sql, &values![rooms, readers, from, to], |row| Ok((index(row, COLUMNS)?, log_row(row)?))).await?;
    let mut found = gathered(some.len(), found).into_iter();
    let of_room = |(range, count): (&Option<(i64, i64)>, usize)| {
        let rows = range.and_then(|_| found.next()).unwrap_or_default();
        ListedRows { more: rows.len() < count, rows }
    };
    Ok(ranges.iter().zip(counts).map(of_room).collect())
}

/// The sizes of the messages that stand highest in each room's list, before the given place, by their places, ascending.
async fn sizes(tx: &mut Tx, list: List, pairs: &[RoomAndReader], before: i64, limit: usize) -> Result<Vec<Vec<Size>>, Error> {
    macro_rules! sizes {
        ($place:literal) => {
            pairs!(
                ", edges AS MATERIALIZED (
                    SELECT n, room, (SELECT e.",
                $place,
                " FROM message_state e WHERE e.room = p.room AND e.",
                $place,
                " IS NOT NULL AND e.",
                $place,
                " < $3 ORDER BY e.",
                $place,
                " DESC LIMIT 1 OFFSET $4) AS place FROM pairs p)
                SELECT s.",
                $place,
                ", CAST(COALESCE(octet_length(l.payload), 0) + COALESCE(octet_length(l.extra), 0) + ",
                size_of_state!(),
                " AS BIGINT), CAST(t.n AS BIGINT) FROM edges t
                    CROSS JOIN message_state s CROSS JOIN log l WHERE s.room = t.room AND s.",
                $place,
                " IS NOT NULL AND s.",
                $place,
                " < $3 AND s.",
                $place,
                " >= COALESCE(t.place, 0) AND l.room = s.room AND l.seq = s.seq AND l.kind = 2
                    ORDER BY t.n, s.",
                $place
            )
        };
    }
    let sql = match list {
        List::Pins => sizes!("pin_seq"),
        List::Threads => sizes!("thread_last_seq"),
    };
    let [rooms, readers] = lists(pairs);
    let last = i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(1).max(0);
    let size = |row: &Row<'_>| Ok((index(row, 2)?, (row.int(0)?, usize::try_from(row.int(1)?).unwrap_or(0))));
    let found = tx.rows(sql, &values![rooms, readers, before, last], size).await?;
    Ok(gathered(pairs.len(), found))
}
