//! Statements about many rooms at once, each a single one for any number of rooms ([`super::lists`]).
//!
//! `CROSS JOIN` tells SQLite to begin with the list. Else it may guess that the list is long, and read a whole table to find the few rows of it.

use super::lists::{RoomAndReader, digits, gathered, index, lists, pairs, placed};
use super::log::{COLUMNS, LogRow, columns_of, log_row};
use super::mentions::unread_mentions;
use super::rooms::{RoomRow, room_row};
use super::state::{MessageKey, size_of_state};
use contract::UserId;
use db::{Error, Row, Tx, values};

/// A room with its reader's membership.
pub(crate) struct RoomForReader {
    pub row: RoomRow,
    /// The reader's mark, and how many messages the room holds up to it; none if the reader is not a member now.
    pub read: Option<(i64, i64)>,
    /// How many messages past the mark were deleted.
    pub deleted: i64,
    /// How many of the threads that the reader follows have something unread.
    pub unread_threads: i64,
    /// How many unread messages mention the reader.
    pub mentions: i64,
}

/// Each room with its reader's membership; none where there is no such room.
pub(crate) async fn rooms_for_readers(tx: &mut Tx, pairs: &[RoomAndReader]) -> Result<Vec<Option<RoomForReader>>, Error> {
    const SQL: &str = pairs!(
        " SELECT r.id, r.kind, r.name, r.owner, r.created_at, r.member_count, r.topic, r.metadata, r.rev, m.read, l.messages,
                (SELECT COUNT(*) FROM message_state d WHERE d.room = p.room AND d.seq > m.read AND d.deleted_at IS NOT NULL AND d.aside IS NULL),
                (SELECT COUNT(*) FROM thread_members t WHERE t.member = p.reader AND t.room = p.room AND t.unread = 1),
                ",
        unread_mentions!("p.room", "p.reader", "m.read"),
        ",
                CAST(p.n AS BIGINT) FROM pairs p CROSS JOIN rooms r
            LEFT JOIN members m ON m.room = p.room AND m.member = p.reader AND m.state = 'active'
            LEFT JOIN log l ON l.room = p.room AND l.seq = m.read
            WHERE r.id = p.room"
    );
    let room = |row: &Row<'_>| {
        let read = row.maybe_int(9)?.map(|read| Ok::<_, Error>((read, row.maybe_int(10)?.unwrap_or(0)))).transpose()?;
        let (deleted, unread_threads, mentions) = (row.int(11)?, row.int(12)?, row.int(13)?);
        Ok((index(row, 14)?, RoomForReader { row: room_row(row)?, read, deleted, unread_threads, mentions }))
    };
    Ok(placed(pairs.len(), tx.rows(SQL, &lists(pairs), room).await?))
}

/// How much a room holds, by its newest row.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    pub seq: i64,
    /// How many messages the room holds.
    pub messages: i64,
}

/// The head of each room; zeros for a room in which nothing has happened.
pub(crate) async fn counts(tx: &mut Tx, pairs: &[RoomAndReader]) -> Result<Vec<Head>, Error> {
    const SQL: &str = pairs!(
        ", heads AS MATERIALIZED (
            SELECT n, room, (SELECT h.seq FROM log h WHERE h.room = p.room AND h.seq > 0 ORDER BY h.seq DESC LIMIT 1) AS seq FROM pairs p)
        SELECT h.seq, h.messages, CAST(t.n AS BIGINT) FROM heads t CROSS JOIN log h WHERE h.room = t.room AND h.seq = t.seq"
    );
    let found = tx.rows(SQL, &lists(pairs), |row| Ok((index(row, 2)?, Head { seq: row.int(0)?, messages: row.int(1)? }))).await?;
    Ok(placed(pairs.len(), found).into_iter().map(Option::unwrap_or_default).collect())
}

/// The head of each room, and its newest message; zeros for a room in which nothing has happened.
pub(crate) async fn heads(tx: &mut Tx, pairs: &[RoomAndReader]) -> Result<Vec<(Head, Option<LogRow>)>, Error> {
    const SQL: &str = pairs!(
        ", heads AS MATERIALIZED (
            SELECT n, room, (SELECT h.seq FROM log h WHERE h.room = p.room AND h.seq > 0 ORDER BY h.seq DESC LIMIT 1) AS seq FROM pairs p)
        SELECT ",
        columns_of!("l"),
        ", CAST(t.n AS BIGINT), h.seq, h.messages FROM heads t CROSS JOIN log h CROSS JOIN log l
            WHERE h.room = t.room AND h.seq = t.seq AND l.room = t.room AND l.seq = CASE WHEN h.newest > 0 THEN h.newest ELSE h.seq END"
    );
    let head = |row: &Row<'_>| {
        let head = Head { seq: row.int(COLUMNS + 1)?, messages: row.int(COLUMNS + 2)? };
        // A room without messages answers its newest row here.
        let newest = Some(log_row(row)?).filter(LogRow::is_message);
        Ok((index(row, COLUMNS)?, (head, newest)))
    };
    let found = tx.rows(SQL, &lists(pairs), head).await?;
    Ok(placed(pairs.len(), found).into_iter().map(|found| found.unwrap_or((Head::default(), None))).collect())
}

/// Up to `limit` members of each room, the longest-standing first, each with the position of its joining; only those after the given one.
pub(crate) async fn members(
    tx: &mut Tx,
    pairs: &[RoomAndReader],
    after: Option<(i64, UserId)>,
    limit: usize,
) -> Result<Vec<Vec<(i64, UserId)>>, Error> {
    const SQL: &str = pairs!(
        ", lasts AS MATERIALIZED (
            SELECT n, room, (SELECT m.since FROM members m WHERE m.room = p.room AND m.state = 'active' AND (m.since, m.member) > ($3, $4)
                ORDER BY m.since, m.member LIMIT 1 OFFSET $5) AS since FROM pairs p)
        SELECT m.since, m.member, CAST(t.n AS BIGINT) FROM lasts t
            CROSS JOIN members m WHERE m.room = t.room AND m.state = 'active' AND (m.since, m.member) > ($3, $4)
                AND m.since <= COALESCE(t.since, 9223372036854775807)
            ORDER BY t.n, m.since, m.member"
    );
    let (since, member) = after.map_or((0, [0; 16]), |(since, member)| (since, member.bytes()));
    let [rooms, readers] = lists(pairs);
    let values = values![rooms, readers, since, member, last_of(limit)];
    let found = tx.rows(SQL, &values, |row| Ok((index(row, 2)?, (row.int(0)?, UserId::from_bytes(row.id(1)?))))).await?;
    let mut each = gathered(pairs.len(), found);
    each.iter_mut().for_each(|members| members.truncate(limit));
    Ok(each)
}

/// Which messages of each room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Only those with a larger seq.
    pub after: i64,
    /// Only those with a smaller seq.
    pub before: i64,
    /// The newest of them where there are more than the limit.
    pub newest: bool,
    /// At most so many.
    pub limit: usize,
}

/// A message without its body: its seq, or another place of it in its room, and the bytes of the body.
pub(super) type Size = (i64, usize);

/// Messages of each room within a span, by seq, ascending. The bodies of all rooms together have at most so many bytes, but each room gets
/// one message at least. The sizes are read first, so that no more than that is in memory.
pub(crate) async fn messages(tx: &mut Tx, pairs: &[RoomAndReader], span: Span, bytes: usize) -> Result<Vec<Vec<LogRow>>, Error> {
    const SQL: &str = pairs!(
        " SELECT ",
        columns_of!("l"),
        ", CAST(p.n AS BIGINT) FROM pairs p
            CROSS JOIN log l WHERE l.room = p.room AND l.kind = 2 AND l.newest = l.seq
                AND l.seq >= CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
                AND l.seq <= CAST(substr(CAST($4 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
            ORDER BY p.n, l.seq"
    );
    let ranges = within(&sizes(tx, pairs, span).await?, span.newest, bytes);
    let wanted: Vec<_> = pairs.iter().zip(&ranges).filter_map(|(pair, range)| Some((*pair, (*range)?))).collect();
    let (some, ends): (Vec<RoomAndReader>, Vec<(i64, i64)>) = wanted.into_iter().unzip();
    if some.is_empty() {
        return Ok(vec![Vec::new(); pairs.len()]);
    }
    let [rooms, readers] = lists(&some);
    let from: String = ends.iter().map(|(first, _)| digits(*first)).collect();
    let to: String = ends.iter().map(|(_, last)| digits(*last)).collect();
    let found = tx.rows(SQL, &values![rooms, readers, from, to], |row| Ok((index(row, COLUMNS)?, log_row(row)?))).await?;
    let mut found = gathered(some.len(), found).into_iter();
    Ok(ranges.iter().map(|range| range.and_then(|_| found.next()).unwrap_or_default()).collect())
}

/// The first and the last place to take of each room. The rooms take turns: each takes one more message from the edge of the span, until the
/// bytes are used up.
pub(super) fn within(sizes: &[Vec<Size>], newest: bool, bytes: usize) -> Vec<Option<(i64, i64)>> {
    let mut taken: Vec<Option<(i64, i64)>> = vec![None; sizes.len()];
    let (mut left, mut number) = (bytes, 0);
    loop {
        let mut any = false;
        for (sizes, room) in sizes.iter().zip(&mut taken) {
            let at = if newest { sizes.len().checked_sub(number + 1) } else { Some(number) };
            let Some((seq, size)) = at.and_then(|at| sizes.get(at)) else { continue };
            if number > 0 && *size > left {
                return taken;
            }
            any = true;
            left = left.saturating_sub(*size);
            *room = Some(room.map_or((*seq, *seq), |(first, last)| (first.min(*seq), last.max(*seq))));
        }
        if !any {
            return taken;
        }
        number += 1;
    }
}

/// The sizes of the messages of each room within a span, by seq, ascending.
async fn sizes(tx: &mut Tx, pairs: &[RoomAndReader], span: Span) -> Result<Vec<Vec<Size>>, Error> {
    const OLDEST: &str = pairs!(
        ", edges AS MATERIALIZED (
            SELECT n, room, (SELECT e.seq FROM log e WHERE e.room = p.room AND e.seq > $3 AND e.seq < $4 AND e.kind = 2 AND e.newest = e.seq
                ORDER BY e.seq LIMIT 1 OFFSET $5) AS seq FROM pairs p)
        SELECT l.seq, CAST(COALESCE(octet_length(l.payload), 0) + COALESCE(octet_length(l.extra), 0) + COALESCE((SELECT ",
        size_of_state!(),
        "
                FROM message_state s WHERE s.room = l.room AND s.seq = l.seq), 0) AS BIGINT), CAST(t.n AS BIGINT) FROM edges t
            CROSS JOIN log l WHERE l.room = t.room AND l.seq > $3 AND l.seq < $4 AND l.seq <= COALESCE(t.seq, 9223372036854775807) AND l.kind = 2 AND l.newest = l.seq
            ORDER BY t.n, l.seq"
    );
    const NEWEST: &str = pairs!(
        ", edges AS MATERIALIZED (
            SELECT n, room, (SELECT e.seq FROM log e WHERE e.room = p.room AND e.seq > $3 AND e.seq < $4 AND e.kind = 2 AND e.newest = e.seq
                ORDER BY e.seq DESC LIMIT 1 OFFSET $5) AS seq FROM pairs p)
        SELECT l.seq, CAST(COALESCE(octet_length(l.payload), 0) + COALESCE(octet_length(l.extra), 0) + COALESCE((SELECT ",
        size_of_state!(),
        "
                FROM message_state s WHERE s.room = l.room AND s.seq = l.seq), 0) AS BIGINT), CAST(t.n AS BIGINT) FROM edges t
            CROSS JOIN log l WHERE l.room = t.room AND l.seq > $3 AND l.seq < $4 AND l.seq >= COALESCE(t.seq, 0) AND l.kind = 2 AND l.newest = l.seq
            ORDER BY t.n, l.seq"
    );
    let sql = if span.newest { NEWEST } else { OLDEST };
    let [rooms, readers] = lists(pairs);
    let values = values![rooms, readers, span.after, span.before, last_of(span.limit)];
    let size = |row: &Row<'_>| Ok((index(row, 2)?, (row.int(0)?, usize::try_from(row.int(1)?).unwrap_or(0))));
    let found = tx.rows(sql, &values, size).await?;
    Ok(gathered(pairs.len(), found))
}

/// The rows with these seqs; none where there is none. At most [`super::lists::AT_ONCE`] of them.
pub(crate) async fn rows(tx: &mut Tx, keys: &[MessageKey]) -> Result<Vec<Option<LogRow>>, Error> {
    const SQL: &str = pairs!(
        " SELECT ",
        columns_of!("l"),
        ", CAST(p.n AS BIGINT) FROM pairs p
            CROSS JOIN log l WHERE l.room = p.room AND l.seq = CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)"
    );
    // An empty text is no seq.
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    // No reader asks here; the list only wants one.
    let [rooms, readers] = lists(&keys.iter().map(|(room, _)| (*room, UserId::from_bytes([0; 16]))).collect::<Vec<_>>());
    let seqs: String = keys.iter().map(|(_, seq)| digits(*seq)).collect();
    let found = tx.rows(SQL, &values![rooms, readers, seqs], |row| Ok((index(row, COLUMNS)?, log_row(row)?))).await?;
    Ok(placed(keys.len(), found))
}

/// How many bytes of text each of these messages has, with its state; 0 where there is none. No seq is negative. At most [`super::lists::AT_ONCE`] of them.
pub(crate) async fn sizes_of(tx: &mut Tx, keys: &[MessageKey]) -> Result<Vec<usize>, Error> {
    const SQL: &str = pairs!(
        " SELECT CAST(COALESCE(octet_length(l.payload), 0) + COALESCE(octet_length(l.extra), 0) + COALESCE((SELECT ",
        size_of_state!(),
        "
                FROM message_state s WHERE s.room = l.room AND s.seq = l.seq), 0) AS BIGINT), CAST(p.n AS BIGINT) FROM pairs p
            CROSS JOIN log l WHERE l.room = p.room AND l.seq = CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)"
    );
    // No reader asks here; the list only wants one.
    let [rooms, readers] = lists(&keys.iter().map(|(room, _)| (*room, UserId::from_bytes([0; 16]))).collect::<Vec<_>>());
    let seqs: String = keys.iter().map(|(_, seq)| digits(*seq)).collect();
    let size = |row: &Row<'_>| Ok((index(row, 1)?, usize::try_from(row.int(0)?).unwrap_or(0)));
    let found = tx.rows(SQL, &values![rooms, readers, seqs], size).await?;
    Ok(placed(keys.len(), found).into_iter().map(Option::unwrap_or_default).collect())
}

/// The offset of the last row within a limit.
fn last_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(1).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_begins_at_the_edge_and_is_shared_among_rooms() {
        let sizes = [vec![(1, 10), (2, 10), (5, 10)], vec![], vec![(3, 500)], vec![(1, 1), (4, 1)]];
        let taken = |newest, bytes| within(&sizes, newest, bytes);
        assert_eq!(taken(true, 10_000), [Some((1, 5)), None, Some((3, 3)), Some((1, 4))]);
        assert_eq!(taken(true, 0), [Some((5, 5)), None, Some((3, 3)), Some((4, 4))], "of each one, however long");
        assert_eq!(taken(false, 0), [Some((1, 1)), None, Some((3, 3)), Some((1, 1))]);
        assert_eq!(taken(true, 521), [Some((2, 5)), None, Some((3, 3)), Some((4, 4))]);
        assert_eq!(taken(true, 522), [Some((2, 5)), None, Some((3, 3)), Some((1, 4))]);
        assert_eq!(taken(false, 522), [Some((1, 2)), None, Some((3, 3)), Some((1, 4))]);
        assert_eq!(within(&[], true, 5), []);
    }
}
