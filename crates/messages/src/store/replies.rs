//! Messages of several threads at once, the oldest first. Each statement is a single one for any number of threads ([`super::lists`]).

use super::lists::{RoomAndReader, digits, gathered, index, lists, pairs};
use super::log::{COLUMNS, LogRow, columns_of, log_row};
use super::sets::{Size, within};
use super::state::{MessageKey, size_of_state};
use contract::UserId;
use db::{Error, Row, Tx, Value, values};

/// Messages of a thread, ascending.
#[derive(Clone, Default)]
pub(crate) struct ThreadRows {
    pub rows: Vec<LogRow>,
    /// Whether others follow.
    pub more: bool,
}

/// Makes the table `threads` (n, room, thread) of the values `$1` to `$3`.
macro_rules! threads {
    ($($rest:expr),+) => {
        pairs!(
            ", threads(n, room, thread) AS (
                SELECT n, room, CAST(substr(CAST($3 AS TEXT), (n - 1) / 16 * 19 + 1, 19) AS BIGINT) FROM pairs)",
            $($rest),+
        )
    };
}

/// Up to `limit` messages of each thread with a larger seq than the given one. The bodies of all threads together have at most so many bytes, but
/// each thread gets one message at least. The sizes are read first, so that no more than that is in memory.
pub(crate) async fn of_each(tx: &mut Tx, threads: &[MessageKey], after: i64, limit: usize, bytes: usize) -> Result<Vec<ThreadRows>, Error> {
    const SQL: &str = threads!(
        " SELECT ",
        columns_of!("l"),
        ", CAST(t.n AS BIGINT) FROM threads t
            CROSS JOIN log l WHERE l.room = t.room AND l.thread = t.thread
                AND l.seq >= CAST(substr(CAST($4 AS TEXT), (t.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
                AND l.seq <= CAST(substr(CAST($5 AS TEXT), (t.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
            ORDER BY t.n, l.seq"
    );
    // An empty text is no seq.
    if threads.is_empty() {
        return Ok(Vec::new());
    }
    // One more than the limit shows that there are more.
    let mut sizes = sizes(tx, threads, after, limit.saturating_add(1)).await?;
    let counts: Vec<usize> = sizes.iter().map(Vec::len).collect();
    sizes.iter_mut().for_each(|sizes| sizes.truncate(limit));
    let ranges = within(&sizes, false, bytes);
    let (some, ends): (Vec<MessageKey>, Vec<(i64, i64)>) =
        threads.iter().zip(&ranges).filter_map(|(thread, range)| Some((*thread, (*range)?))).unzip();
    if some.is_empty() {
        return Ok(vec![ThreadRows::default(); threads.len()]);
    }
    let [rooms, readers, roots] = thread_lists(&some);
    let from: String = ends.iter().map(|(first, _)| digits(*first)).collect();
    let to: String = ends.iter().map(|(_, last)| digits(*last)).collect();
    let found = tx.rows(SQL, &values![rooms, readers, roots, from, to], |row| Ok((index(row, COLUMNS)?, log_row(row)?))).await?;
    let mut found = gathered(some.len(), found).into_iter();
    let of_thread = |(range, count): (&Option<(i64, i64)>, usize)| {
        let rows = range.and_then(|_| found.next()).unwrap_or_default();
        ThreadRows { more: rows.len() < count, rows }
    };
    Ok(ranges.iter().zip(counts).map(of_thread).collect())
}

/// The sizes of each thread's oldest messages after the given seq, by seq, ascending.
async fn sizes(tx: &mut Tx, threads: &[MessageKey], after: i64, limit: usize) -> Result<Vec<Vec<Size>>, Error> {
    const SQL: &str = threads!(
        ", edges AS MATERIALIZED (
            SELECT n, room, thread, (SELECT e.seq FROM log e WHERE e.room = t.room AND e.thread = t.thread AND e.seq > $4
                ORDER BY e.seq LIMIT 1 OFFSET $5) AS seq FROM threads t)
        SELECT l.seq, CAST(COALESCE(octet_length(l.payload), 0) + COALESCE(octet_length(l.extra), 0) + COALESCE((SELECT ",
        size_of_state!(),
        "
                FROM message_state s WHERE s.room = l.room AND s.seq = l.seq), 0) AS BIGINT), CAST(t.n AS BIGINT) FROM edges t
            CROSS JOIN log l WHERE l.room = t.room AND l.thread = t.thread AND l.seq > $4 AND l.seq <= COALESCE(t.seq, 9223372036854775807)
            ORDER BY t.n, l.seq"
    );
    let [rooms, readers, roots] = thread_lists(threads);
    let last = i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(1).max(0);
    let size = |row: &Row<'_>| Ok((index(row, 2)?, (row.int(0)?, usize::try_from(row.int(1)?).unwrap_or(0))));
    let found = tx.rows(SQL, &values![rooms, readers, roots, after, last], size).await?;
    Ok(gathered(threads.len(), found))
}

/// The values of `threads!`. Nobody's own view is asked for, so the list of readers is a filler.
fn thread_lists(threads: &[MessageKey]) -> [Value; 3] {
    let pairs: Vec<RoomAndReader> = threads.iter().map(|(room, _)| (*room, UserId::from_bytes([0; 16]))).collect();
    let [rooms, readers] = lists(&pairs);
    let roots: String = threads.iter().map(|(_, root)| digits(*root)).collect();
    [rooms, readers, roots.into()]
}
