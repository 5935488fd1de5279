//! The table `log`: appends rows, and finds rows by position, by seq and by nonce.

use super::members::SeqRange;
use super::state::{MessageKey, MessageState, ThreadState, size_of_state};
use crate::extra::Extra;
use crate::partitions::{self, Partitions};
use contract::{MessageId, RoomId, Time, UserId};
use db::{Error, Row, Tx, values};
use std::collections::HashSet;
use std::sync::Arc;

/// What a row of the log is about. The numbers are in every database: never reuse one. A row of a kind or version that this program does
/// not know was written by a newer program. It keeps its seq and position and is passed on as [`Kind::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For one user alone, without a seq: the user is a member from here on.
    RoomCreated,
    Message,
    MemberJoined,
    MemberLeft,
    RoomUpdated,
    MessageEdited,
    MessageDeleted,
    ReactionsChanged,
    MessagePinned,
    MessageUnpinned,
    Unknown {
        number: i64,
        version: i64,
    },
}

impl Kind {
    /// The kind of a row with this number and this version of what it holds.
    fn of(number: i64, version: i64) -> Self {
        match (number, version) {
            (1, 1) => Self::RoomCreated,
            (2, 1..=3) => Self::Message,
            (3, 1) => Self::MemberJoined,
            (4, 1) => Self::MemberLeft,
            (5, 1 | 2) => Self::RoomUpdated,
            (6, 1) => Self::MessageEdited,
            (7, 1) => Self::MessageDeleted,
            (8, 1) => Self::ReactionsChanged,
            (9, 1) => Self::MessagePinned,
            (10, 1) => Self::MessageUnpinned,
            _ => Self::Unknown { number, version },
        }
    }

    /// The log version since which programs know it ([`crate::log_version`]).
    pub(crate) fn since(self, form: Form) -> i64 {
        match self {
            Self::Message | Self::MessageEdited if form.in_thread || form.has_mentions => 3,
            Self::Message | Self::RoomUpdated if form.has_extra => 2,
            Self::RoomCreated | Self::Message | Self::MemberJoined | Self::MemberLeft | Self::RoomUpdated => 1,
            Self::MessageEdited | Self::MessageDeleted | Self::ReactionsChanged | Self::MessagePinned | Self::MessageUnpinned => 2,
            Self::Unknown { .. } => i64::MAX,
        }
    }

    /// The number, and the version that this program writes. A message or a room's change with an extra is of version 2, so that a program that
    /// knows no extras does not tell half of it. So is a message whose text was erased. A message in a thread is of version 3, so that a program
    /// that knows no threads does not tell it among the room's messages.
    pub(crate) fn number(self, form: Form) -> (i64, i64) {
        match self {
            Self::RoomCreated => (1, 1),
            Self::Message => (2, if form.in_thread { 3 } else { 1 + i64::from(form.has_extra) }),
            Self::MemberJoined => (3, 1),
            Self::MemberLeft => (4, 1),
            Self::RoomUpdated => (5, 1 + i64::from(form.has_extra)),
            Self::MessageEdited => (6, 1),
            Self::MessageDeleted => (7, 1),
            Self::ReactionsChanged => (8, 1),
            Self::MessagePinned => (9, 1),
            Self::MessageUnpinned => (10, 1),
            Self::Unknown { number, version } => (number, version),
        }
    }

    /// Whether it is about an earlier message. Such a row moves neither the newest message nor the order of rooms.
    pub(crate) fn is_amendment(self) -> bool {
        matches!(self, Self::MessageEdited | Self::MessageDeleted | Self::ReactionsChanged | Self::MessagePinned | Self::MessageUnpinned)
    }
}

/// What decides of which version a row is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    pub has_extra: bool,
    pub in_thread: bool,
    /// A program that knows no mentions would lose them with its next edit.
    pub has_mentions: bool,
}

/// The rows that this program knows, as a condition of SQL over the columns `kind` and `version`.
macro_rules! is_known {
    () => {
        "(kind BETWEEN 1 AND 10 AND version = 1 OR kind IN (2, 5) AND version = 2 OR kind = 2 AND version = 3)"
    };
}
pub(crate) use is_known;

/// A row of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    /// The partition.
    pub part: u16,
    pub position: i64,
    pub room: RoomId,
    /// None for a row that is for one user alone.
    pub seq: Option<i64>,
    pub kind: Kind,
    /// Who did it.
    pub actor: UserId,
    /// The user whom it concerns. A row without a seq is delivered to this user alone.
    pub subject: Option<UserId>,
    /// How many messages the room holds up to and including this row.
    pub messages: i64,
    /// The seq of the newest message up to and including this row; 0 for none.
    pub newest: i64,
    /// How many members the room has after this row.
    pub member_count: i64,
    /// A message's id.
    pub id: Option<MessageId>,
    pub nonce: Option<String>,
    /// A message's body, an edit's new body, a room's new name, the reason of a deletion; of a reaction `+` or `-` and the emoji. A row that
    /// tells several changes of reactions together has none, and it is gone from what was erased.
    pub payload: Option<String>,
    pub created_at: Time,
    /// The seq of the message that an amendment is about.
    pub ref_seq: Option<i64>,
    /// What there is besides the payload, as JSON ([`crate::extra`]).
    pub extra: Option<String>,
    /// Of an amendment, and of a message that stands in a thread alone: the time of the room's newest row that is neither. Of all other rows that
    /// is `created_at`.
    pub active_at: Option<Time>,
    /// The thread that a message is in.
    pub thread: Option<ThreadPlace>,
    /// What is told with the row ([`super::present`]); none for a plain message that nobody has changed.
    pub with: Option<Box<With>>,
}

/// Where a message stands in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadPlace {
    /// The seq of the message with which the thread begins.
    pub root: i64,
    /// How many messages came in the thread up to and including this one, with those that were deleted.
    pub count: i64,
}

/// What is told with a row besides what it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct With {
    /// What a message that was changed is now.
    pub state: Option<Arc<MessageState>>,
    /// The message that an amendment is about, with its state.
    pub message: Option<Arc<LogRow>>,
    /// The message that a reply answers, with its state.
    pub replied: Option<Arc<LogRow>>,
    /// The emojis with which the reader has reacted.
    pub mine: Vec<String>,
    /// The thread that the message is in, or that the message is in which an amendment is about.
    pub thread: Option<Arc<ThreadState>>,
}

impl LogRow {
    /// Whether it is a message that this program can show.
    pub(crate) fn is_message(&self) -> bool {
        self.kind == Kind::Message
    }

    /// Whether it is a message that stands in a thread alone, and not among the room's messages.
    pub(crate) fn is_aside(&self) -> bool {
        self.thread.is_some() && self.seq != Some(self.newest)
    }

    /// What decides of which version it is, which mentions do not.
    pub(crate) fn form(&self) -> Form {
        Form { has_extra: self.extra.is_some(), in_thread: self.thread.is_some(), has_mentions: false }
    }

    /// The message that an amendment is about.
    pub(crate) fn about(&self) -> Option<MessageKey> {
        self.ref_seq.filter(|_| self.kind.is_amendment()).map(|seq| (self.room, seq))
    }

    /// What a message is now; none if nobody has changed it.
    pub(crate) fn state(&self) -> Option<&MessageState> {
        self.with.as_ref()?.state.as_deref()
    }

    /// Whether a message was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.state().is_some_and(|state| state.deleted.is_some())
    }

    /// A message's text as it is now.
    pub(crate) fn body_now(&self) -> &str {
        let edited = self.state().filter(|state| state.edits > 0).map(|state| &state.body);
        edited.unwrap_or(&self.payload).as_deref().unwrap_or_default()
    }

    /// What a message has besides its text now.
    pub(crate) fn extra_now(&self) -> Option<&str> {
        let edited = self.state().filter(|state| state.edits > 0).map(|state| &state.extra);
        edited.unwrap_or(&self.extra).as_deref()
    }

    /// How many bytes of text are told with it.
    pub(crate) fn bytes_told(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let message = if self.is_message() { Some(self) } else { self.with.as_ref().and_then(|with| with.message.as_deref()) };
        let now = message.map_or(0, |message| message.body_now().len() + message.extra_now().map_or(0, str::len));
        now.max(length(&self.payload) + length(&self.extra))
    }

    /// Adds the users whose names are needed to show it.
    pub(crate) fn people(&self, ids: &mut HashSet<UserId>) {
        ids.insert(self.actor);
        ids.extend(self.subject);
        if self.is_message() {
            ids.extend(Extra::mentions(self.extra_now()).users);
        }
        let Some(with) = &self.with else { return };
        if let Some(state) = &with.state {
            ids.extend(state.deleted.map(|(_, by)| by));
            ids.extend(state.pinned.map(|(_, _, by)| by));
            ids.extend(state.reactions.iter().flat_map(|reaction| &reaction.first));
            ids.extend(state.thread.iter().flat_map(|thread| &thread.first));
        }
        ids.extend(with.replied.as_ref().map(|replied| replied.actor));
        ids.extend(with.thread.iter().flat_map(|thread| &thread.first));
        if let Some(message) = &with.message {
            message.people(ids);
        }
    }

    /// When the room was last active, as of this row.
    pub(crate) fn active_at(&self) -> Time {
        self.active_at.unwrap_or(self.created_at)
    }
}

macro_rules! columns {
    ($rest:expr) => {
        concat!(
            "SELECT position, room, seq, kind, actor, subject, messages, newest, member_count, id, nonce, payload, created_at, part, version,
                ref_seq, extra, active_at, thread, thread_count FROM log ",
            $rest
        )
    };
}

pub(super) use columns;

/// The same columns, for [`log_row`], of a `log` that has another name in its statement.
macro_rules! columns_of {
    ($log:literal) => {
        concat!(
            $log,
            ".position, ",
            $log,
            ".room, ",
            $log,
            ".seq, ",
            $log,
            ".kind, ",
            $log,
            ".actor, ",
            $log,
            ".subject, ",
            $log,
            ".messages, ",
            $log,
            ".newest, ",
            $log,
            ".member_count, ",
            $log,
            ".id, ",
            $log,
            ".nonce, ",
            $log,
            ".payload, ",
            $log,
            ".created_at, ",
            $log,
            ".part, ",
            $log,
            ".version, ",
            $log,
            ".ref_seq, ",
            $log,
            ".extra, ",
            $log,
            ".active_at, ",
            $log,
            ".thread, ",
            $log,
            ".thread_count"
        )
    };
}
pub(super) use columns_of;

/// How many columns that is; a statement may select more after them.
pub(super) const COLUMNS: usize = 20;

pub(super) fn log_row(row: &Row<'_>) -> Result<LogRow, Error> {
    Ok(LogRow {
        position: row.int(0)?,
        room: RoomId::from_bytes(row.id(1)?),
        seq: row.maybe_int(2)?,
        kind: Kind::of(row.int(3)?, row.int(14)?),
        actor: UserId::from_bytes(row.id(4)?),
        subject: row.maybe_id(5)?.map(UserId::from_bytes),
        messages: row.int(6)?,
        newest: row.int(7)?,
        member_count: row.int(8)?,
        id: row.maybe_id(9)?.map(MessageId::from_bytes),
        nonce: row.maybe_text(10)?,
        payload: row.maybe_text(11)?,
        created_at: Time(row.int(12)?),
        part: partitions::number(row.int(13)?)?,
        ref_seq: row.maybe_int(15)?,
        extra: row.maybe_text(16)?,
        active_at: row.maybe_int(17)?.map(Time),
        thread: row.maybe_int(18)?.zip(row.maybe_int(19)?).map(|(root, count)| ThreadPlace { root, count }),
        with: None,
    })
}

/// Appends the rows, in order. Answers false for each row that was not written, because its (room, actor, nonce) exists already.
pub(crate) async fn append(tx: &mut Tx, rows: &[LogRow]) -> Result<Vec<bool>, Error> {
    let sql = "INSERT INTO log (position, part, room, seq, kind, version, actor, subject, messages, newest, member_count, id, nonce, payload, created_at,
            ref_seq, extra, active_at, thread, thread_count)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
        ON CONFLICT (room, actor, nonce) WHERE nonce IS NOT NULL DO NOTHING";
    let values = |row: &LogRow| {
        let (kind, version) = row.kind.number(row.form());
        values![
            row.position,
            i64::from(row.part),
            row.room.bytes(),
            row.seq,
            kind,
            version,
            row.actor.bytes(),
            row.subject.map(UserId::bytes),
            row.messages,
            row.newest,
            row.member_count,
            row.id.map(MessageId::bytes),
            row.nonce.clone(),
            row.payload.clone(),
            row.created_at.0,
            row.ref_seq,
            row.extra.clone(),
            row.active_at.map(|at| at.0),
            row.thread.map(|thread| thread.root),
            row.thread.map(|thread| thread.count)
        ]
    };
    match rows {
        [row] => Ok(vec![tx.execute(sql, &values(row)).await? == 1]),
        rows => {
            let each: Vec<_> = rows.iter().map(|row| values(row).to_vec()).collect();
            Ok(tx.execute_each(sql, &each).await?.into_iter().map(|changed| changed == 1).collect())
        }
    }
}

/// Whether the log has no row.
pub(crate) async fn is_empty(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.row("SELECT part FROM log LIMIT 1", &values![], |row| row.int(0)).await?.is_none())
}

/// A partition's last position and the time of its row; (0, 1970) where it is empty.
pub(crate) async fn end(tx: &mut Tx, part: u16) -> Result<(i64, Time), Error> {
    Ok(tx.row(END, &values![i64::from(part)], |row| Ok((row.int(0)?, Time(row.int(1)?)))).await?.unwrap_or((0, Time(0))))
}

/// The same, and the number of the partition's last change of users' own state, in one way to the database.
pub(crate) async fn end_with_state(tx: &mut Tx, part: u16) -> Result<(i64, Time, i64), Error> {
    let sql =
        "SELECT COALESCE(l.position, 0), COALESCE(l.created_at, 0), COALESCE(e.number, 0) FROM (SELECT CAST($1 AS BIGINT) AS part) AS p
        LEFT JOIN (SELECT position, created_at FROM log WHERE part = $1 ORDER BY position DESC LIMIT 1) AS l ON l.position > 0
        LEFT JOIN user_state_ends e ON e.part = p.part";
    let end = tx.row(sql, &values![i64::from(part)], |row| Ok((row.int(0)?, Time(row.int(1)?), row.int(2)?))).await?;
    Ok(end.unwrap_or((0, Time(0), 0)))
}

const END: &str = "SELECT position, created_at FROM log WHERE part = $1 ORDER BY position DESC LIMIT 1";

/// The last position of each partition.
pub(crate) async fn ends(tx: &mut Tx, partitions: Partitions) -> Result<Vec<i64>, Error> {
    let each: Vec<_> = partitions.all().map(|part| values![i64::from(part)].to_vec()).collect();
    let ends = tx.row_each(END, &each, |row| row.int(0)).await?;
    Ok(ends.into_iter().map(|end| end.unwrap_or(0)).collect())
}

/// The rooms that rows after a position have changed, each with the member concerned.
pub(crate) async fn touched(tx: &mut Tx, part: u16, position: i64) -> Result<Vec<(RoomId, Option<UserId>)>, Error> {
    let sql = "SELECT DISTINCT room, subject FROM log WHERE part = $1 AND position > $2";
    let touched = |row: &Row<'_>| Ok((RoomId::from_bytes(row.id(0)?), row.maybe_id(1)?.map(UserId::from_bytes)));
    tx.rows(sql, &values![i64::from(part), position], touched).await
}

/// A partition's rows after a position, ascending: at most `limit`, and at most so many bytes, but one row at least. The sizes are read first,
/// so that no more than that is in memory. A created room counts as 8 KiB: the room as it is now goes with it, with its first members and its
/// last message. With a message, and with what changes one, goes its state.
pub(crate) async fn after(tx: &mut Tx, part: u16, position: i64, limit: i64, bytes: i64) -> Result<Vec<LogRow>, Error> {
    let sizes = concat!(
        "SELECT CAST(CASE WHEN kind = 1 THEN 8192 ELSE COALESCE(octet_length(payload), 0) + COALESCE(octet_length(extra), 0)
            + COALESCE((SELECT ",
        size_of_state!(),
        " FROM message_state s WHERE s.room = log.room AND s.seq = COALESCE(log.ref_seq, log.seq)), 0) END AS BIGINT)
        FROM log WHERE part = $1 AND position > $2 ORDER BY position LIMIT $3"
    );
    let sizes = tx.rows(sizes, &values![i64::from(part), position, limit], |row| row.int(0)).await?;
    let mut sum = 0_i64;
    let fit = sizes.iter().take_while(|size| {
        sum = sum.saturating_add(**size);
        sum <= bytes
    });
    let limit = i64::try_from(fit.count().max(1)).unwrap_or(i64::MAX).min(limit);
    let sql = columns!("WHERE part = $1 AND position > $2 ORDER BY position LIMIT $3");
    tx.rows(sql, &values![i64::from(part), position, limit], log_row).await
}

/// The row at each partition and position.
pub(crate) async fn at_each(tx: &mut Tx, places: &[(u16, i64)]) -> Result<Vec<Option<LogRow>>, Error> {
    let each: Vec<_> = places.iter().map(|(part, position)| values![i64::from(*part), *position].to_vec()).collect();
    tx.row_each(columns!("WHERE part = $1 AND position = $2"), &each, log_row).await
}

/// A room's newest row.
pub(crate) async fn head(tx: &mut Tx, room: RoomId) -> Result<Option<LogRow>, Error> {
    tx.row(HEAD, &values![room.bytes()], log_row).await
}

/// A row without its payload, for calls that look at many rooms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadRow {
    pub room: RoomId,
    pub seq: i64,
    pub position: i64,
    pub created_at: Time,
}

/// The newest row of each room.
pub(crate) async fn head_row_each(tx: &mut Tx, rooms: &[RoomId]) -> Result<Vec<Option<HeadRow>>, Error> {
    newest_below_each(tx, &rooms.iter().map(|room| (*room, i64::MAX)).collect::<Vec<_>>()).await
}

/// Each room's newest row with a smaller seq than this.
pub(crate) async fn newest_below_each(tx: &mut Tx, places: &[(RoomId, i64)]) -> Result<Vec<Option<HeadRow>>, Error> {
    let sql = "SELECT room, seq, position, created_at FROM log WHERE room = $1 AND seq > 0 AND seq < $2 ORDER BY seq DESC LIMIT 1";
    let head = |row: &Row<'_>| {
        Ok(HeadRow { room: RoomId::from_bytes(row.id(0)?), seq: row.int(1)?, position: row.int(2)?, created_at: Time(row.int(3)?) })
    };
    let each: Vec<_> = places.iter().map(|(room, seq)| values![room.bytes(), *seq].to_vec()).collect();
    tx.row_each(sql, &each, head).await
}

/// The same for each of these.
pub(crate) async fn head_each(tx: &mut Tx, rooms: &[RoomId]) -> Result<Vec<Option<LogRow>>, Error> {
    let each: Vec<_> = rooms.iter().map(|room| values![room.bytes()].to_vec()).collect();
    tx.row_each(HEAD, &each, log_row).await
}

const HEAD: &str = columns!("WHERE room = $1 AND seq > 0 ORDER BY seq DESC LIMIT 1");

/// The row with this seq in this room.
pub(crate) async fn by_seq(tx: &mut Tx, room: RoomId, seq: i64) -> Result<Option<LogRow>, Error> {
    tx.row(columns!("WHERE room = $1 AND seq = $2"), &values![room.bytes(), seq], log_row).await
}

/// The same for each of these.
pub(crate) async fn by_seq_each(tx: &mut Tx, keys: &[MessageKey]) -> Result<Vec<Option<LogRow>>, Error> {
    let each: Vec<_> = keys.iter().map(|(room, seq)| values![room.bytes(), *seq]).collect();
    tx.row_each(columns!("WHERE room = $1 AND seq = $2"), &each, log_row).await
}

/// A room's rows after a seq, ascending.
pub(crate) async fn of_room_after(tx: &mut Tx, room: RoomId, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    tx.rows(columns!("WHERE room = $1 AND seq > $2 ORDER BY seq LIMIT $3"), &values![room.bytes(), seq, limit], log_row).await
}

/// A message's row and those of its edits, in their order.
pub(crate) async fn versions(tx: &mut Tx, (room, seq): MessageKey, limit: i64) -> Result<Vec<LogRow>, Error> {
    let sql = columns!("WHERE room = $1 AND ref_seq = $2 AND kind = 6 ORDER BY seq LIMIT $3");
    let mut rows: Vec<LogRow> = by_seq(tx, room, seq).await?.into_iter().collect();
    rows.extend(tx.rows(sql, &values![room.bytes(), seq, limit], log_row).await?);
    Ok(rows)
}

/// How many rows within each range are about earlier messages.
pub(crate) async fn amendments_each(tx: &mut Tx, ranges: &[SeqRange]) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM log WHERE room = $1 AND seq >= $2 AND seq <= $3 AND ref_seq IS NOT NULL";
    let each: Vec<_> = ranges.iter().map(|range| values![range.room.bytes(), range.from, range.to]).collect();
    Ok(tx.row_each(sql, &each, |row| row.int(0)).await?.into_iter().flatten().sum())
}

/// Erases the texts of messages, and with them what their edits and reactions say. Rows, seqs and nonces stay.
pub(crate) async fn erase_each(tx: &mut Tx, messages: &[MessageKey]) -> Result<(), Error> {
    let message = "UPDATE log SET payload = NULL, extra = NULL, version = CASE WHEN thread IS NULL THEN 2 ELSE 3 END
        WHERE room = $1 AND seq = $2 AND kind = 2";
    let amendments = "UPDATE log SET payload = NULL, extra = NULL WHERE room = $1 AND ref_seq = $2 AND kind IN (6, 8)";
    let each: Vec<_> = messages.iter().map(|(room, seq)| values![room.bytes(), *seq]).collect();
    tx.execute_each(message, &each).await?;
    tx.execute_each(amendments, &each).await.map(|_| ())
}

/// How many messages a room holds up to and including this seq.
pub(crate) async fn messages_up_to(tx: &mut Tx, room: RoomId, seq: i64) -> Result<i64, Error> {
    if seq == 0 {
        return Ok(0);
    }
    let sql = "SELECT messages FROM log WHERE room = $1 AND seq = $2";
    Ok(tx.row(sql, &values![room.bytes(), seq], |row| row.int(0)).await?.unwrap_or(0))
}

/// The row that an earlier send with this nonce wrote.
pub(crate) async fn by_nonce(tx: &mut Tx, room: RoomId, actor: UserId, nonce: &str) -> Result<Option<LogRow>, Error> {
    tx.row(BY_NONCE, &values![room.bytes(), actor.bytes(), nonce], log_row).await
}

/// The same for each of these.
pub(crate) async fn by_nonce_each(tx: &mut Tx, nonces: &[(RoomId, UserId, String)]) -> Result<Vec<Option<LogRow>>, Error> {
    let each: Vec<_> = nonces.iter().map(|(room, actor, nonce)| values![room.bytes(), actor.bytes(), nonce.clone()].to_vec()).collect();
    tx.row_each(BY_NONCE, &each, log_row).await
}

const BY_NONCE: &str = columns!("WHERE room = $1 AND actor = $2 AND nonce = $3");

/// Whose messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Authors {
    One(UserId),
    AllBut(UserId),
}

/// Messages of these authors within each range that were not deleted, not older than `since`; the newest first, at most `limit` of each.
pub(crate) async fn messages_by_each(
    tx: &mut Tx,
    ranges: &[SeqRange],
    authors: Authors,
    since: Time,
    limit: usize,
) -> Result<Vec<Vec<LogRow>>, Error> {
    let (sql, author) = match authors {
        Authors::One(author) => (BY_ONE, author),
        Authors::AllBut(author) => (BY_ALL_BUT, author),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = |range: &SeqRange| values![range.room.bytes(), range.from, range.to, author.bytes(), since.0, limit].to_vec();
    tx.rows_each(sql, &ranges.iter().map(values).collect::<Vec<_>>(), log_row).await
}

const BY_ONE: &str = columns!(
    "WHERE room = $1 AND seq >= $2 AND seq <= $3 AND kind = 2 AND payload IS NOT NULL AND actor = $4 AND created_at >= $5 ORDER BY seq DESC LIMIT $6"
);
const BY_ALL_BUT: &str = columns!(
    "WHERE room = $1 AND seq >= $2 AND seq <= $3 AND kind = 2 AND payload IS NOT NULL AND actor <> $4 AND created_at >= $5 ORDER BY seq DESC LIMIT $6"
);

/// The positions of each range's rows, ascending, at most `limit` of each. Read from the index alone.
pub(crate) async fn positions_each(tx: &mut Tx, ranges: &[SeqRange], limit: i64) -> Result<Vec<Vec<i64>>, Error> {
    let sql = "SELECT position FROM log WHERE room = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq";
    let last = |range: &SeqRange| range.to.min(range.from.saturating_add(limit - 1));
    let each: Vec<_> = ranges.iter().map(|range| values![range.room.bytes(), range.from, last(range)].to_vec()).collect();
    tx.rows_each(sql, &each, |row| row.int(0)).await
}

/// For each partition and a position in it: the later positions of rows that are for this user alone, ascending, at most `limit`.
pub(crate) async fn positions_to_one_each(tx: &mut Tx, user: UserId, places: &[(u16, i64)], limit: i64) -> Result<Vec<Vec<i64>>, Error> {
    let sql = "SELECT position FROM log WHERE subject = $1 AND part = $2 AND position > $3 AND seq IS NULL ORDER BY position LIMIT $4";
    let each: Vec<_> = places.iter().map(|(part, after)| values![user.bytes(), i64::from(*part), *after, limit].to_vec()).collect();
    tx.rows_each(sql, &each, |row| row.int(0)).await
}
