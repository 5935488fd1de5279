//! The table `thread_members`: who follows a thread, and up to where each has read in it. What came in a thread stands in the state of its first
//! message ([`super::state::ThreadState`]).
//!
//! `unread` says whether a follower has something unread: the thread's newest message lies past the mark. It is written when that changes, and not
//! with each message, so that many followers who have not read cost a message nothing. And how many threads have something unread is one
//! index scan over just those.

use super::lists::{RoomAndReader, digits, index, lists, pairs, placed};
use super::log::LogRow;
use super::state::MessageKey;
use contract::{RoomId, Time, UserId};
use db::{Error, Row, Tx, Value, values};

/// A thread and somebody in it: the room, the seq of the thread's first message, and who.
pub(crate) type ThreadMemberKey = (RoomId, i64, UserId);

/// A row of `thread_members`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadMember {
    pub following: bool,
    /// Read up to this seq.
    pub read: i64,
}

/// How somebody's standing in a thread changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadMemberChange {
    /// Follow, or stop following; none leaves it. Who was never in the thread follows then.
    pub following: Option<bool>,
    /// The mark moves here if it stands lower.
    pub read: i64,
    /// The thread's newest message that was not deleted; 0 for none.
    pub last: i64,
}

/// Who stands how in each thread; none for who was never in it.
pub(crate) async fn find_each(tx: &mut Tx, keys: &[ThreadMemberKey]) -> Result<Vec<Option<ThreadMember>>, Error> {
    let sql = "SELECT following, read FROM thread_members WHERE member = $1 AND room = $2 AND thread = $3";
    let member = |row: &Row<'_>| Ok(ThreadMember { following: row.int(0)? == 1, read: row.int(1)? });
    tx.row_each(sql, &keys.iter().map(key_values).collect::<Vec<_>>(), member).await
}

fn key_values((room, thread, member): &ThreadMemberKey) -> Vec<Value> {
    values![member.bytes(), room.bytes(), *thread].to_vec()
}

/// Writes how members stand.
pub(crate) async fn save_each(tx: &mut Tx, changes: &[(ThreadMemberKey, ThreadMemberChange)]) -> Result<(), Error> {
    let save = "INSERT INTO thread_members (member, room, thread, following, read, unread) VALUES ($1, $2, $3, $4, $5, 0)
        ON CONFLICT (member, room, thread) DO UPDATE SET following = CASE WHEN CAST($6 AS BIGINT) = 1 THEN $4 ELSE thread_members.following END,
            read = CASE WHEN thread_members.read < $5 THEN $5 ELSE thread_members.read END";
    let judge = "UPDATE thread_members SET unread = CASE WHEN following = 1 AND read < $4 THEN 1 ELSE 0 END
        WHERE member = $1 AND room = $2 AND thread = $3";
    let (mut saved, mut judged) = (Vec::new(), Vec::new());
    for (key, ThreadMemberChange { following, read, last }) in changes {
        let mut values = key_values(key);
        let mut with_last = values.clone();
        values.extend([i64::from(following.unwrap_or(true)).into(), (*read).into(), i64::from(following.is_some()).into()]);
        with_last.push((*last).into());
        saved.push(values);
        judged.push(with_last);
    }
    tx.execute_each(save, &saved).await?;
    tx.execute_each(judge, &judged).await.map(|_| ())
}

/// Stamps marks that have moved with a position of their rooms' partition.
pub(crate) async fn stamp_each(tx: &mut Tx, moved: &[ThreadMemberKey], position: i64) -> Result<(), Error> {
    let sql = "UPDATE thread_members SET read_position = $4 WHERE member = $1 AND room = $2 AND thread = $3";
    let stamped = |(room, thread, member): &ThreadMemberKey| values![member.bytes(), room.bytes(), *thread, position].to_vec();
    tx.execute_each(sql, &moved.iter().map(stamped).collect::<Vec<_>>()).await.map(|_| ())
}

/// Threads in which something came, each with its newest message: who follows and had read everything has something unread now.
pub(crate) async fn something_came(tx: &mut Tx, threads: &[(MessageKey, i64)]) -> Result<(), Error> {
    let sql = "UPDATE thread_members SET unread = 1 WHERE room = $1 AND thread = $2 AND following = 1 AND unread = 0 AND read < $3";
    tx.execute_each(sql, &each(threads)).await.map(|_| ())
}

/// Threads in which something was deleted, each with its newest message that is left, 0 for none: who has read that has nothing unread now.
pub(crate) async fn something_went(tx: &mut Tx, threads: &[(MessageKey, i64)]) -> Result<(), Error> {
    let sql = "UPDATE thread_members SET unread = 0 WHERE room = $1 AND thread = $2 AND following = 1 AND unread = 1 AND read >= $3";
    tx.execute_each(sql, &each(threads)).await.map(|_| ())
}

fn each(threads: &[(MessageKey, i64)]) -> Vec<Vec<Value>> {
    threads.iter().map(|((room, thread), last)| values![room.bytes(), *thread, *last].to_vec()).collect()
}

/// Forgets how members who have left stood in the room's threads.
pub(crate) async fn forget_each(tx: &mut Tx, left: &[(RoomId, UserId)]) -> Result<(), Error> {
    let sql = "DELETE FROM thread_members WHERE member = $1 AND room = $2";
    let each: Vec<_> = left.iter().map(|(room, member)| values![member.bytes(), room.bytes()].to_vec()).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// How many of the threads of a room that a user follows have something unread.
pub(crate) async fn unread_threads(tx: &mut Tx, room: RoomId, member: UserId) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM thread_members WHERE member = $1 AND room = $2 AND unread = 1";
    Ok(tx.row(sql, &values![member.bytes(), room.bytes()], |row| row.int(0)).await?.unwrap_or(0))
}

/// The newest messages of a thread up to a seq that were not deleted: at most one.
pub(crate) async fn last_left(tx: &mut Tx, (room, thread): MessageKey, below: i64) -> Result<Option<(i64, Time)>, Error> {
    let sql =
        "SELECT seq, created_at FROM log WHERE room = $1 AND thread = $2 AND seq < $3 AND payload IS NOT NULL ORDER BY seq DESC LIMIT 1";
    tx.row(sql, &values![room.bytes(), thread, below], |row| Ok((row.int(0)?, Time(row.int(1)?)))).await
}

/// A thread with a mark in it, and with how many messages came in it.
pub(crate) type MarkedThread = (MessageKey, i64, i64);

/// The threads in which a user's own mark has moved at these positions or later, one for each partition, in rooms that the user is in; of each
/// partition at most `limit`.
pub(crate) async fn marks_since(tx: &mut Tx, member: UserId, positions: &[i64], limit: i64) -> Result<Vec<MarkedThread>, Error> {
    let sql = "SELECT t.room, t.thread, t.read,
            COALESCE((SELECT m.thread_total FROM message_state m WHERE m.room = t.room AND m.seq = t.thread), 0)
        FROM stays s CROSS JOIN thread_members t
        WHERE s.member = $1 AND s.part = $2 AND s.to_position IS NULL AND t.member = s.member AND t.room = s.room AND t.read_position >= $3
        LIMIT $4";
    let each: Vec<_> = (0_i64..).zip(positions).map(|(part, position)| values![member.bytes(), part, *position, limit].to_vec()).collect();
    let marked = |row: &Row<'_>| Ok(((RoomId::from_bytes(row.id(0)?), row.int(1)?), row.int(2)?, row.int(3)?));
    Ok(tx.rows_each(sql, &each, marked).await?.concat())
}

/// How many messages of each thread lie past the mark, without those that were deleted.
pub(crate) async fn unread_each(tx: &mut Tx, threads: &[MarkedThread]) -> Result<Vec<i64>, Error> {
    let counted = "SELECT thread_count FROM log WHERE room = $1 AND thread = $2 AND seq <= $3 ORDER BY seq DESC LIMIT 1";
    let deleted = "SELECT COUNT(*) FROM message_state WHERE room = $1 AND thread = $2 AND seq > $3 AND thread IS NOT NULL
        AND deleted_at IS NOT NULL";
    let each: Vec<_> = threads.iter().map(|((room, thread), read, _)| values![room.bytes(), *thread, *read].to_vec()).collect();
    let counted = tx.row_each(counted, &each, |row| row.int(0)).await?;
    let deleted = tx.row_each(deleted, &each, |row| row.int(0)).await?;
    let each = threads.iter().zip(counted).zip(deleted);
    Ok(each.map(|(((_, _, total), counted), deleted)| total - counted.unwrap_or(0) - deleted.unwrap_or(0)).collect())
}

/// How many messages of each thread lie past its reader's mark, without those that were deleted; 0 for what is no thread. In one statement, for at
/// most [`super::lists::AT_ONCE`] threads.
pub(crate) async fn unread_for(tx: &mut Tx, threads: &[MessageKey], reader: UserId) -> Result<Vec<i64>, Error> {
    const SQL: &str = pairs!(
        " SELECT s.thread_total
                - COALESCE((SELECT l.thread_count FROM log l WHERE l.room = p.room AND l.thread = s.seq AND l.seq <= m.read
                    ORDER BY l.seq DESC LIMIT 1), 0)
                - (SELECT COUNT(*) FROM message_state d WHERE d.room = p.room AND d.thread = s.seq AND d.seq > COALESCE(m.read, 0)
                    AND d.thread IS NOT NULL AND d.deleted_at IS NOT NULL),
                CAST(p.n AS BIGINT)
            FROM pairs p CROSS JOIN message_state s
            LEFT JOIN thread_members m ON m.member = p.reader AND m.room = p.room AND m.thread = s.seq
            WHERE s.room = p.room AND s.seq = CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)
                AND s.thread_total IS NOT NULL"
    );
    // An empty text is no seq.
    if threads.is_empty() {
        return Ok(Vec::new());
    }
    let pairs: Vec<RoomAndReader> = threads.iter().map(|(room, _)| (*room, reader)).collect();
    let [rooms, readers] = lists(&pairs);
    let roots: String = threads.iter().map(|(_, root)| digits(*root)).collect();
    let found = tx.rows(SQL, &values![rooms, readers, roots], |row| Ok((index(row, 1)?, row.int(0)?))).await?;
    Ok(placed(threads.len(), found).into_iter().map(Option::unwrap_or_default).collect())
}

/// The threads of a room, those with the newest message first, only those whose newest message lies before a seq: of each its first message, and
/// its newest one.
pub(crate) async fn of_room(tx: &mut Tx, room: RoomId, before: i64, limit: i64) -> Result<Vec<(i64, i64)>, Error> {
    let sql = "SELECT seq, thread_last_seq FROM message_state
        WHERE room = $1 AND thread_last_seq IS NOT NULL AND thread_last_seq < $2 ORDER BY thread_last_seq DESC LIMIT $3";
    tx.rows(sql, &values![room.bytes(), before, limit], |row| Ok((row.int(0)?, row.int(1)?))).await
}

/// The positions of a thread's messages in these rooms, which are one; at most `limit` of them, the newest first.
pub(crate) async fn positions(tx: &mut Tx, rooms: &[RoomId], thread: i64, limit: usize) -> Result<Vec<i64>, Error> {
    let sql = "SELECT position FROM log WHERE room = $1 AND thread = $2 ORDER BY seq DESC LIMIT $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let each: Vec<_> = rooms.iter().map(|room| values![room.bytes(), thread, limit].to_vec()).collect();
    Ok(tx.rows_each(sql, &each, |row| row.int(0)).await?.concat())
}

/// A place in the list of a user's threads: when the newest message came, the room, the first message.
pub(crate) type ThreadListPlace = (Time, RoomId, i64);

/// The threads that a user follows in rooms that the user is in, those with the newest message first, only those after a place.
pub(crate) async fn of_member(
    tx: &mut Tx,
    member: UserId,
    unread: bool,
    after: Option<ThreadListPlace>,
    limit: i64,
) -> Result<Vec<ThreadListPlace>, Error> {
    macro_rules! threads {
        ($which:literal) => {
            concat!(
                "SELECT s.thread_last_at, t.room, t.thread FROM thread_members t CROSS JOIN message_state s
                WHERE t.member = $1 AND ",
                $which,
                " = 1 AND s.room = t.room AND s.seq = t.thread AND s.thread_last_at IS NOT NULL
                    AND (s.thread_last_at, t.room, t.thread) < ($2, $3, $4)
                    AND EXISTS (SELECT 1 FROM members m WHERE m.room = t.room AND m.member = t.member AND m.state = 'active')
                ORDER BY s.thread_last_at DESC, t.room DESC, t.thread DESC LIMIT $5"
            )
        };
    }
    let sql = if unread { threads!("t.unread") } else { threads!("t.following") };
    let (at, room, thread) = after.map_or((i64::MAX, [0xff; 16], i64::MAX), |(at, room, thread)| (at.0, room.bytes(), thread));
    let place = |row: &Row<'_>| Ok((Time(row.int(0)?), RoomId::from_bytes(row.id(1)?), row.int(2)?));
    tx.rows(sql, &values![member.bytes(), at, room, thread, limit], place).await
}

/// A message's place in its thread: the thread's first message, where it is in one.
pub(crate) fn thread_of(row: &LogRow) -> Option<MessageKey> {
    row.thread.map(|place| (row.room, place.root))
}
