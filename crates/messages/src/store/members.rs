//! The tables `members` (the present state of each member) and `stays` (the intervals of membership).
//!
//! In code a row of `stays` is a [`MembershipInterval`]. The table keeps its older name because processes of the version before read it while
//! a cluster is upgraded.

use contract::{RoomId, RoomKind, Time, UserId};
use db::{Error, Row, Tx, values};

/// A row of `members`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberRow {
    /// Whether this is a member now; the row stays when the member leaves.
    pub active: bool,
    /// Read up to this seq.
    pub read: i64,
}

/// One membership from its first to its last row, both included, in positions and in seqs. It has no end while it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MembershipInterval {
    pub member: UserId,
    pub room: RoomId,
    pub part: u16,
    pub from_position: i64,
    pub from_seq: i64,
    pub end: Option<(i64, i64)>,
}

/// The row of `members` of a new member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entered {
    /// False if the member has left again in the same batch.
    pub active: bool,
    /// The position of the joining.
    pub since: i64,
    pub read: i64,
}

/// A membership that lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenMembership {
    pub room: RoomId,
    /// The first seq that the member may see.
    pub from_seq: i64,
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

/// Writes new members.
pub(crate) async fn enter_each(tx: &mut Tx, entered: impl Iterator<Item = ((RoomId, UserId), Entered)>) -> Result<(), Error> {
    let sql = "INSERT INTO members (room, member, role, state, since, read) VALUES ($1, $2, 'member', $3, $4, $5)
        ON CONFLICT (room, member) DO UPDATE SET state = $3, since = $4, read = $5";
    let each: Vec<_> = entered
        .map(|((room, member), Entered { active, since, read })| {
            values![room.bytes(), member.bytes(), if active { "active" } else { "left" }, since, read].to_vec()
        })
        .collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// Writes that members have left.
pub(crate) async fn leave_each(tx: &mut Tx, left: impl Iterator<Item = (RoomId, UserId)>) -> Result<(), Error> {
    let sql = "UPDATE members SET state = 'left' WHERE room = $1 AND member = $2";
    let each: Vec<_> = left.map(|(room, member)| values![room.bytes(), member.bytes()].to_vec()).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// Writes intervals that begin.
pub(crate) async fn begin_intervals(tx: &mut Tx, begun: &[MembershipInterval]) -> Result<(), Error> {
    let sql = "INSERT INTO stays (member, room, part, from_position, from_seq, to_position, to_seq) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = |interval: &MembershipInterval| {
        let (to_position, to_seq) = interval.end.unzip();
        let part = i64::from(interval.part);
        values![interval.member.bytes(), interval.room.bytes(), part, interval.from_position, interval.from_seq, to_position, to_seq]
            .to_vec()
    };
    tx.execute_each(sql, &begun.iter().map(values).collect::<Vec<_>>()).await.map(|_| ())
}

/// Ends intervals: the member, the room, the last position and the last seq.
pub(crate) async fn end_intervals(tx: &mut Tx, ended: &[(UserId, RoomId, i64, i64)]) -> Result<(), Error> {
    let sql = "UPDATE stays SET to_position = $3, to_seq = $4 WHERE member = $1 AND room = $2 AND to_position IS NULL";
    let values =
        |(member, room, position, seq): &(UserId, RoomId, i64, i64)| values![member.bytes(), room.bytes(), *position, *seq].to_vec();
    tx.execute_each(sql, &ended.iter().map(values).collect::<Vec<_>>()).await.map(|_| ())
}

/// The longest-standing member of a room.
pub(crate) async fn oldest(tx: &mut Tx, room: RoomId) -> Result<Option<UserId>, Error> {
    Ok(by_age(tx, room, None, 1).await?.first().map(|(_, member)| *member))
}

/// Members, the longest-standing first, each with the position of the joining; only those after the given one.
pub(crate) async fn by_age(tx: &mut Tx, room: RoomId, after: Option<(i64, UserId)>, limit: i64) -> Result<Vec<(i64, UserId)>, Error> {
    let sql = "SELECT since, member FROM members WHERE room = $1 AND state = 'active' AND (since, member) > ($2, $3)
        ORDER BY since, member LIMIT $4";
    let (since, member) = after.map_or((0, [0; 16]), |(since, member)| (since, member.bytes()));
    tx.rows(sql, &values![room.bytes(), since, member, limit], |row| Ok((row.int(0)?, UserId::from_bytes(row.id(1)?)))).await
}

/// Moves read marks forward, at a position of their rooms' partition; one that another server has moved further stays there.
pub(crate) async fn mark_read(tx: &mut Tx, marks: impl Iterator<Item = ((RoomId, UserId), i64)>, position: i64) -> Result<(), Error> {
    let sql = "UPDATE members SET read = $3, read_position = $4 WHERE room = $1 AND member = $2 AND read < $3";
    let each: Vec<_> = marks.map(|((room, member), seq)| values![room.bytes(), member.bytes(), seq, position].to_vec()).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// A room that a user is in now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnRoom {
    pub room: RoomId,
    pub kind: RoomKind,
    pub member_count: i64,
    /// The position at which the user's read mark there, or one in a thread of the room, moved last; none where none ever has, or a program of
    /// before has moved it.
    pub read_position: Option<i64>,
}

/// The rooms that each of these users is in now.
pub(crate) async fn rooms_of_each(tx: &mut Tx, members: &[UserId]) -> Result<Vec<Vec<OwnRoom>>, Error> {
    let sql = "SELECT r.id, r.kind, r.member_count, m.read_position, (SELECT t.read_position FROM thread_members t
            WHERE t.member = s.member AND t.room = s.room AND t.read_position IS NOT NULL ORDER BY t.read_position DESC LIMIT 1)
        FROM stays s JOIN rooms r ON r.id = s.room
        LEFT JOIN members m ON m.room = s.room AND m.member = s.member WHERE s.member = $1 AND s.to_position IS NULL";
    let each: Vec<_> = members.iter().map(|member| values![member.bytes()].to_vec()).collect();
    tx.rows_each(sql, &each, |row| {
        let kind = row.text(1)?;
        let kind = RoomKind::parse(&kind).ok_or_else(|| Error::Failed(format!("a room of the unknown kind {kind:?}")))?;
        let room = RoomId::from_bytes(row.id(0)?);
        let read_position = row.maybe_int(3)?.max(row.maybe_int(4)?);
        Ok(OwnRoom { room, kind, member_count: row.int(2)?, read_position })
    })
    .await
}

/// The rooms that a user is in now, each with the time of its newest row that is about no earlier message, latest first; only those after the given one.
pub(crate) async fn rooms_by_activity(
    tx: &mut Tx,
    member: UserId,
    after: Option<(Time, RoomId)>,
    limit: i64,
) -> Result<Vec<(Time, RoomId)>, Error> {
    let sql = "SELECT active_at, room FROM (
            SELECT s.room AS room, COALESCE(
                (SELECT COALESCE(l.active_at, l.created_at) FROM log l WHERE l.room = s.room AND l.seq > 0 ORDER BY l.seq DESC LIMIT 1),
                (SELECT r.created_at FROM rooms r WHERE r.id = s.room)) AS active_at
            FROM stays s WHERE s.member = $1 AND s.to_position IS NULL) AS mine
        WHERE (active_at, room) < ($2, $3) ORDER BY active_at DESC, room DESC LIMIT $4";
    let (time, room) = after.map_or((i64::MAX, [0xff; 16]), |(time, room)| (time.0, room.bytes()));
    tx.rows(sql, &values![member.bytes(), time, room, limit], |row| Ok((Time(row.int(0)?), RoomId::from_bytes(row.id(1)?)))).await
}

/// The rooms of a user in which the own read mark has moved at this position or later, each with the position. Positions of several partitions
/// cannot be compared, so the caller looks at the partition of each room.
pub(crate) async fn marks_since(tx: &mut Tx, member: UserId, position: i64) -> Result<Vec<(RoomId, i64)>, Error> {
    let sql = "SELECT m.room, m.read_position FROM stays s CROSS JOIN members m
        WHERE s.member = $1 AND s.to_position IS NULL AND m.room = s.room AND m.member = s.member AND m.read_position >= $2";
    tx.rows(sql, &values![member.bytes(), position], |row| Ok((RoomId::from_bytes(row.id(0)?), row.int(1)?))).await
}

/// Members with their read marks, the longest-standing first, each with the position of the joining; only those after the given one.
pub(crate) async fn reads_by_age(
    tx: &mut Tx,
    room: RoomId,
    after: Option<(i64, UserId)>,
    limit: i64,
) -> Result<Vec<((i64, UserId), i64)>, Error> {
    let sql = "SELECT since, member, read FROM members WHERE room = $1 AND state = 'active' AND (since, member) > ($2, $3)
        ORDER BY since, member LIMIT $4";
    let (since, member) = after.map_or((0, [0; 16]), |(since, member)| (since, member.bytes()));
    let read = |row: &Row<'_>| Ok(((row.int(0)?, UserId::from_bytes(row.id(1)?)), row.int(2)?));
    tx.rows(sql, &values![room.bytes(), since, member, limit], read).await
}

/// The memberships of a user that last.
pub(crate) async fn open_memberships(tx: &mut Tx, member: UserId) -> Result<Vec<OpenMembership>, Error> {
    let sql = "SELECT room, from_seq FROM stays WHERE member = $1 AND to_position IS NULL";
    tx.rows(sql, &values![member.bytes()], |row| Ok(OpenMembership { room: RoomId::from_bytes(row.id(0)?), from_seq: row.int(1)? })).await
}

/// A range of one room's rows, by seq, both ends included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeqRange {
    pub room: RoomId,
    pub from: i64,
    pub to: i64,
}

/// Rows of one membership that its member has not seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unseen {
    pub range: SeqRange,
    /// The last seq of the membership; none while it lasts.
    pub ended: Option<i64>,
}

/// For each partition and a position in it: the rows after the position that this member may see, a range for each interval that has
/// any. Most rooms have no new row; the position of their newest row, read from the index alone, shows that. A range's begin is found by binary
/// search, because seqs and positions of a room rise together: some 20 look-ups in a room of a million rows.
pub(crate) async fn unseen_each(tx: &mut Tx, member: UserId, places: &[(u16, i64)]) -> Result<Vec<Vec<Unseen>>, Error> {
    let sql = "WITH RECURSIVE news AS (
            SELECT s.room AS room, s.from_seq AS first, s.to_seq AS ended,
                (SELECT l.seq FROM log l WHERE l.room = s.room AND l.seq > 0 ORDER BY l.seq DESC LIMIT 1) AS head
            FROM stays s WHERE s.member = $1 AND s.part = $2 AND (s.to_position IS NULL OR s.to_position > $3)
            AND (SELECT l.position FROM log l WHERE l.room = s.room AND l.seq > 0 ORDER BY l.seq DESC LIMIT 1) > $3),
        halves(room, low, high, last, ended) AS (
            SELECT room, CASE WHEN first > 1 THEN first ELSE 1 END, 1 + CASE WHEN ended < head THEN ended ELSE head END,
                CASE WHEN ended < head THEN ended ELSE head END, ended FROM news
            UNION ALL SELECT h.room,
                CASE WHEN COALESCE(l.position, 0) > $3 THEN h.low ELSE (h.low + h.high) / 2 + 1 END,
                CASE WHEN COALESCE(l.position, 0) > $3 THEN (h.low + h.high) / 2 ELSE h.high END, h.last, h.ended
            FROM halves h LEFT JOIN log l ON l.room = h.room AND l.seq = (h.low + h.high) / 2 WHERE h.low < h.high)
        SELECT room, low, last, ended FROM halves WHERE low >= high AND low <= last";
    let each: Vec<_> = places.iter().map(|(part, after)| values![member.bytes(), i64::from(*part), *after].to_vec()).collect();
    tx.rows_each(sql, &each, |row| {
        let range = SeqRange { room: RoomId::from_bytes(row.id(0)?), from: row.int(1)?, to: row.int(2)? };
        Ok(Unseen { range, ended: row.maybe_int(3)? })
    })
    .await
}
