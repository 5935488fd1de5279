//! The tables `members` (what belongs to a member of a room) and `stays` (when somebody was one).

use contract::{RoomId, RoomKind, Time, UserId};
use db::{Error, Row, Tx, values};

/// A row of `members`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberRow {
    /// Whether the member is in now; the row stays behind when somebody leaves.
    pub active: bool,
    /// Read up to this seq.
    pub read: i64,
}

/// A time of membership: from and to, including, in positions and in seqs; no end while it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stay {
    pub room: RoomId,
    pub from_seq: i64,
    pub to_seq: Option<i64>,
}

pub(crate) async fn find(tx: &mut Tx, room: RoomId, member: UserId) -> Result<Option<MemberRow>, Error> {
    tx.row(FIND, &values![room.bytes(), member.bytes()], member_row).await
}

/// The same for each of these.
pub(crate) async fn find_each(tx: &mut Tx, members: &[(RoomId, UserId)]) -> Result<Vec<Option<MemberRow>>, Error> {
    let each: Vec<_> = members.iter().map(|(room, member)| values![room.bytes(), member.bytes()].to_vec()).collect();
    tx.row_each(FIND, &each, member_row).await
}

const FIND: &str = "SELECT state, read FROM members WHERE room = $1 AND member = $2";

fn member_row(row: &Row<'_>) -> Result<MemberRow, Error> {
    Ok(MemberRow { active: row.text(0)? == "active", read: row.int(1)? })
}

/// Makes somebody a member from a place in the log, and `seq`, on.
pub(crate) async fn join(tx: &mut Tx, room: RoomId, member: UserId, (part, position): (u16, i64), seq: i64) -> Result<(), Error> {
    let sql = "INSERT INTO members (room, member, role, state, since, read) VALUES ($1, $2, 'member', 'active', $3, $4)
        ON CONFLICT (room, member) DO UPDATE SET state = 'active', since = $3, read = $4";
    tx.execute(sql, &values![room.bytes(), member.bytes(), position, seq]).await?;
    let sql = "INSERT INTO stays (member, room, part, from_position, from_seq) VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, &values![member.bytes(), room.bytes(), i64::from(part), position, seq]).await.map(|_| ())
}

/// Ends a membership with `position` and `seq`.
pub(crate) async fn leave(tx: &mut Tx, room: RoomId, member: UserId, position: i64, seq: i64) -> Result<(), Error> {
    let sql = "UPDATE members SET state = 'left' WHERE room = $1 AND member = $2";
    tx.execute(sql, &values![room.bytes(), member.bytes()]).await?;
    let sql = "UPDATE stays SET to_position = $3, to_seq = $4 WHERE member = $1 AND room = $2 AND to_position IS NULL";
    tx.execute(sql, &values![member.bytes(), room.bytes(), position, seq]).await.map(|_| ())
}

/// Who has been a member of the room the longest.
pub(crate) async fn oldest(tx: &mut Tx, room: RoomId) -> Result<Option<UserId>, Error> {
    Ok(by_age(tx, room, None, 1).await?.first().map(|(_, member)| *member))
}

/// Members with the position since which they are in, those who have been in the longest first, after the given one.
pub(crate) async fn by_age(tx: &mut Tx, room: RoomId, after: Option<(i64, UserId)>, limit: i64) -> Result<Vec<(i64, UserId)>, Error> {
    let sql = "SELECT since, member FROM members WHERE room = $1 AND state = 'active' AND (since, member) > ($2, $3)
        ORDER BY since, member LIMIT $4";
    let (since, member) = after.map_or((0, [0; 16]), |(since, member)| (since, member.bytes()));
    tx.rows(sql, &values![room.bytes(), since, member, limit], |row| Ok((row.int(0)?, UserId::from_bytes(row.id(1)?)))).await
}

/// Moves read marks forward; one that another server has moved further stays there.
pub(crate) async fn mark_read(tx: &mut Tx, marks: impl Iterator<Item = ((RoomId, UserId), i64)>) -> Result<(), Error> {
    let sql = "UPDATE members SET read = $3 WHERE room = $1 AND member = $2 AND read < $3";
    let each: Vec<_> = marks.map(|((room, member), seq)| values![room.bytes(), member.bytes(), seq].to_vec()).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// The rooms that somebody is in now.
pub(crate) async fn rooms_of(tx: &mut Tx, member: UserId) -> Result<Vec<(RoomId, RoomKind, i64)>, Error> {
    let sql =
        "SELECT r.id, r.kind, r.member_count FROM stays s JOIN rooms r ON r.id = s.room WHERE s.member = $1 AND s.to_position IS NULL";
    tx.rows(sql, &values![member.bytes()], |row| {
        let kind = row.text(1)?;
        let kind = RoomKind::parse(&kind).ok_or_else(|| Error::Failed(format!("a room of the unknown kind {kind:?}")))?;
        Ok((RoomId::from_bytes(row.id(0)?), kind, row.int(2)?))
    })
    .await
}

/// The rooms that somebody is in now with the time of the last thing that happened in each, latest first, after the given one.
pub(crate) async fn rooms_by_activity(
    tx: &mut Tx,
    member: UserId,
    after: Option<(Time, RoomId)>,
    limit: i64,
) -> Result<Vec<(Time, RoomId)>, Error> {
    let sql = "SELECT active_at, room FROM (
            SELECT s.room AS room, COALESCE(
                (SELECT l.created_at FROM log l WHERE l.room = s.room AND l.seq > 0 ORDER BY l.seq DESC LIMIT 1),
                (SELECT r.created_at FROM rooms r WHERE r.id = s.room)) AS active_at
            FROM stays s WHERE s.member = $1 AND s.to_position IS NULL) AS mine
        WHERE (active_at, room) < ($2, $3) ORDER BY active_at DESC, room DESC LIMIT $4";
    let (time, room) = after.map_or((i64::MAX, [0xff; 16]), |(time, room)| (time.0, room.bytes()));
    tx.rows(sql, &values![member.bytes(), time, room, limit], |row| Ok((Time(row.int(0)?), RoomId::from_bytes(row.id(1)?)))).await
}

/// The stays of somebody that last.
pub(crate) async fn stays_now(tx: &mut Tx, member: UserId) -> Result<Vec<Stay>, Error> {
    let sql = "SELECT room, from_seq, to_seq FROM stays WHERE member = $1 AND to_position IS NULL";
    tx.rows(sql, &values![member.bytes()], stay).await
}

/// When somebody was a member of a room of this partition at or after a position, in rooms in which something has happened after it. Most
/// rooms are quiet, and are told by the place of their newest row, which is read from the index alone.
pub(crate) async fn stays_with_news(tx: &mut Tx, member: UserId, part: u16, position: i64) -> Result<Vec<Stay>, Error> {
    let sql = "SELECT s.room, s.from_seq, s.to_seq FROM stays s
        WHERE s.member = $1 AND s.part = $2 AND (s.to_position IS NULL OR s.to_position > $3)
        AND (SELECT l.position FROM log l WHERE l.room = s.room AND l.seq > 0 ORDER BY l.seq DESC LIMIT 1) > $3";
    tx.rows(sql, &values![member.bytes(), i64::from(part), position], stay).await
}

fn stay(row: &Row<'_>) -> Result<Stay, Error> {
    Ok(Stay { room: RoomId::from_bytes(row.id(0)?), from_seq: row.int(1)?, to_seq: row.maybe_int(2)? })
}
