//! The tables `mentions` (members, by name) and `room_mentions` (everybody): which messages mention whom. They are a projection of what messages say
//! now: an edit replaces a message's rows, a deletion removes them.
//!
//! A mention counts as unread in its room until the reader's mark passes it. Where the message stands in a thread alone, it is the mark in the
//! thread that counts: of a mention by name `seen` says so, written when that mark moves; a mention of everybody is compared with the reader's mark.

use super::state::MessageKey;
use super::threads::MarkedThread;
use crate::extra::MentionIds;
use contract::{RoomId, Time, UserId};
use db::{Error, Row, Tx, Value, values};

/// The mentions of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageMentions {
    pub ids: MentionIds,
    pub sender: UserId,
    pub created_at: Time,
    /// The thread that the message is in, and whether it stands there alone.
    pub place: Option<(i64, bool)>,
    /// Whether the message is new: there is nothing to replace.
    pub is_new: bool,
}

/// Writes what messages mention now.
pub(crate) async fn replace_each(tx: &mut Tx, mentions: &[(MessageKey, MessageMentions)]) -> Result<(), Error> {
    let name = "INSERT INTO mentions (member, room, seq, thread, aside, seen, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6)";
    // An edit may mention somebody in a message of a thread that they have read.
    let seen =
        "UPDATE mentions SET seen = 1 WHERE member = $1 AND room = $2 AND seq = $3 AND aside = 1 AND EXISTS (SELECT 1 FROM thread_members t
        WHERE t.member = mentions.member AND t.room = mentions.room AND t.thread = mentions.thread AND t.read >= mentions.seq)";
    let everybody = "INSERT INTO room_mentions (room, seq, thread, aside, sender, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let (mut gone, mut named, mut edited, mut rooms) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((room, seq), MessageMentions { ids, sender, created_at, place, is_new }) in mentions {
        let (thread, aside) = (place.map(|(thread, _)| thread), i64::from(place.is_some_and(|(_, aside)| aside)));
        if !is_new {
            gone.push(values![room.bytes(), *seq].to_vec());
        }
        // Nobody mentions themselves.
        for member in ids.users.iter().filter(|member| *member != sender) {
            if !is_new {
                edited.push(values![member.bytes(), room.bytes(), *seq].to_vec());
            }
            named.push(values![member.bytes(), room.bytes(), *seq, thread, aside, created_at.0].to_vec());
        }
        if ids.room {
            rooms.push(values![room.bytes(), *seq, thread, aside, sender.bytes(), created_at.0].to_vec());
        }
    }
    tx.execute_each("DELETE FROM mentions WHERE room = $1 AND seq = $2", &gone).await?;
    tx.execute_each("DELETE FROM room_mentions WHERE room = $1 AND seq = $2", &gone).await?;
    tx.execute_each(name, &named).await?;
    tx.execute_each(seen, &edited).await?;
    tx.execute_each(everybody, &rooms).await.map(|_| ())
}

/// Members have read threads up to a seq: each with the member, the room, the thread and the seq.
pub(crate) async fn saw_each(tx: &mut Tx, marks: &[(UserId, RoomId, i64, i64)]) -> Result<(), Error> {
    let sql = "UPDATE mentions SET seen = 1 WHERE member = $1 AND room = $2 AND thread = $3 AND seq <= $4 AND aside = 1 AND seen = 0";
    let each: Vec<Vec<Value>> =
        marks.iter().map(|(member, room, thread, seq)| values![member.bytes(), room.bytes(), *thread, *seq].to_vec()).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// Members have left their rooms: what mentioned them in threads counts no more, should they come back.
pub(crate) async fn forget_each(tx: &mut Tx, left: &[(RoomId, UserId)]) -> Result<(), Error> {
    let sql = "UPDATE mentions SET seen = 1 WHERE member = $1 AND room = $2 AND aside = 1 AND seen = 0";
    let each: Vec<_> = left.iter().map(|(room, member)| values![member.bytes(), room.bytes()].to_vec()).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// How many unread messages of a room mention a reader, as an expression of SQL over the room, the reader and the reader's mark. Each index scan
/// ends after 1,000 rows (`Room::mentions`).
macro_rules! unread_mentions {
    ($room:literal, $reader:literal, $read:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM (SELECT seq FROM (
                SELECT a.seq FROM (SELECT seq FROM mentions WHERE member = ",
            $reader,
            " AND room = ",
            $room,
            " AND seq > ",
            $read,
            " AND aside = 0 ORDER BY seq DESC LIMIT 1000) a
                UNION SELECT b.seq FROM (SELECT seq FROM room_mentions WHERE room = ",
            $room,
            " AND seq > ",
            $read,
            " AND aside = 0 ORDER BY seq DESC LIMIT 1000) b
                UNION SELECT c.seq FROM (SELECT seq FROM mentions WHERE member = ",
            $reader,
            " AND room = ",
            $room,
            " AND aside = 1 AND seen = 0 ORDER BY seq DESC LIMIT 1000) c
                UNION SELECT e.seq FROM (SELECT seq, thread FROM room_mentions WHERE room = ",
            $room,
            " AND aside = 1 AND seq >= (SELECT i.from_seq FROM stays i WHERE i.member = ",
            $reader,
            " AND i.room = ",
            $room,
            " AND i.to_position IS NULL) ORDER BY seq DESC LIMIT 1000) e
                LEFT JOIN thread_members t ON t.member = ",
            $reader,
            " AND t.room = ",
            $room,
            " AND t.thread = e.thread WHERE e.seq > COALESCE(t.read, 0)) AS every LIMIT 1000) AS counted)"
        )
    };
}
pub(super) use unread_mentions;

/// How many unread messages of a room mention a member with this mark.
pub(crate) async fn unread(tx: &mut Tx, room: RoomId, member: UserId, read: i64) -> Result<i64, Error> {
    const SQL: &str = concat!("SELECT ", unread_mentions!("$1", "$2", "$3"));
    Ok(tx.row(SQL, &values![room.bytes(), member.bytes(), read], |row| row.int(0)).await?.unwrap_or(0))
}

/// How many messages of each thread past the mark mention a member, since the member joined. Each index scan ends after 1,000 rows, as above.
pub(crate) async fn unread_in_threads(tx: &mut Tx, member: UserId, threads: &[MarkedThread]) -> Result<Vec<i64>, Error> {
    let sql = "SELECT COUNT(*) FROM (SELECT seq FROM (
            SELECT a.seq FROM (SELECT seq FROM mentions WHERE member = $1 AND room = $2 AND thread = $3 AND seq > $4
                ORDER BY seq DESC LIMIT 1000) a
            UNION SELECT b.seq FROM (SELECT seq FROM room_mentions WHERE room = $2 AND thread = $3 AND seq > $4
                ORDER BY seq DESC LIMIT 1000) b) AS every
        WHERE seq >= (SELECT i.from_seq FROM stays i WHERE i.member = $1 AND i.room = $2 AND i.to_position IS NULL) LIMIT 1000) AS counted";
    let each: Vec<_> =
        threads.iter().map(|((room, thread), read, _)| values![member.bytes(), room.bytes(), *thread, *read].to_vec()).collect();
    Ok(tx.row_each(sql, &each, |row| row.int(0)).await?.into_iter().map(Option::unwrap_or_default).collect())
}

/// The positions of messages in these rooms that mention a user, in no order; of each room and table at most `limit`.
pub(crate) async fn positions(tx: &mut Tx, rooms: &[RoomId], member: UserId, limit: usize) -> Result<Vec<i64>, Error> {
    let name = "SELECT (SELECT l.position FROM log l WHERE l.room = m.room AND l.seq = m.seq) FROM mentions m
        WHERE m.member = $1 AND m.room = $2 ORDER BY m.seq DESC LIMIT $3";
    let everybody = "SELECT (SELECT l.position FROM log l WHERE l.room = m.room AND l.seq = m.seq) FROM room_mentions m
        WHERE m.sender <> $1 AND m.room = $2 ORDER BY m.seq DESC LIMIT $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let each: Vec<_> = rooms.iter().map(|room| values![member.bytes(), room.bytes(), limit].to_vec()).collect();
    let mut positions: Vec<i64> = tx.rows_each(name, &each, |row| row.maybe_int(0)).await?.into_iter().flatten().flatten().collect();
    positions.extend(tx.rows_each(everybody, &each, |row| row.maybe_int(0)).await?.into_iter().flatten().flatten());
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

/// A place in the list of messages that mention a user: when the message came, the room, its seq.
pub(crate) type MentionPlace = (Time, RoomId, i64);

/// The messages that mention a user in rooms that the user is in, newest first, only those after a place. Those to everybody count since the user
/// joined, if somebody else has sent them.
pub(crate) async fn of_member(tx: &mut Tx, member: UserId, after: Option<MentionPlace>, limit: i64) -> Result<Vec<MentionPlace>, Error> {
    let sql = "SELECT created_at, room, seq FROM (
            SELECT a.created_at, a.room, a.seq FROM (
                SELECT m.created_at, m.room, m.seq FROM mentions m
                WHERE m.member = $1 AND (m.created_at, m.room, m.seq) < ($2, $3, $4)
                    AND EXISTS (SELECT 1 FROM members o WHERE o.room = m.room AND o.member = m.member AND o.state = 'active')
                ORDER BY m.created_at DESC, m.room DESC, m.seq DESC LIMIT $5) a
            UNION SELECT r.created_at, r.room, r.seq FROM stays s CROSS JOIN room_mentions r
                WHERE s.member = $1 AND s.to_position IS NULL AND r.room = s.room AND r.seq >= s.from_seq AND r.sender <> $1
                    AND r.seq IN (SELECT x.seq FROM room_mentions x WHERE x.room = s.room AND (x.created_at, x.room, x.seq) < ($2, $3, $4)
                        AND x.sender <> $1 ORDER BY x.seq DESC LIMIT $5)) AS mine
        ORDER BY created_at DESC, room DESC, seq DESC LIMIT $5";
    let (at, room, seq) = after.map_or((i64::MAX, [0xff; 16], i64::MAX), |(at, room, seq)| (at.0, room.bytes(), seq));
    let place = |row: &Row<'_>| Ok((Time(row.int(0)?), RoomId::from_bytes(row.id(1)?), row.int(2)?));
    tx.rows(sql, &values![member.bytes(), at, room, seq, limit], place).await
}
