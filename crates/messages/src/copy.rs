//! What `guild copy` takes to another database: rooms, the log, members and their membership intervals, what messages have become, users' own state. If the engines
//! have different numbers of partitions, positions are counted anew.
//!
//! The source's partitions are merged by time, each in its own order, and every row gets the next position of its room's partition in the
//! target. So positions stay gapless, seqs rise with them, and times do not fall within a partition. A membership begins with its
//! `room created` row and ends with its `member left` row, so the table `stays` is rebuilt from the log.

use crate::log_version;
use crate::partitions::Partitions;
use crate::search::index;
use contract::RoomId;
use db::copy::{Column, Copy, CopyError, Key, ROWS_AT_ONCE, Table, note, noted, whole};
use db::{Db, Error, Value, values};
use std::collections::VecDeque;

/// What a target may not hold yet.
pub const MUST_BE_EMPTY: &[&str] = &["SELECT COUNT(*) FROM rooms", "SELECT COUNT(*) FROM log"];

use Column::{Bytes, Int, Text};

static ROOMS: Table = Table {
    name: "rooms",
    read: "SELECT id, kind, name, owner, creator, created_at, member_count, pair, nonce, request, topic, metadata, rev FROM rooms
        WHERE id > $1 ORDER BY id LIMIT $2",
    write: "INSERT INTO rooms (id, kind, name, owner, creator, created_at, member_count, pair, nonce, request, topic, metadata, rev)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    columns: &[Bytes, Text, Text, Bytes, Bytes, Int, Int, Bytes, Text, Bytes, Text, Text, Int],
    key: &[(0, Key::Bytes(16))],
    count: "SELECT COUNT(*) FROM rooms",
};

/// Without the column `since`: positions are the target's own.
static MEMBERS: Table = Table {
    name: "members",
    read: "SELECT room, member, role, state, read FROM members WHERE (room, member) > ($1, $2) ORDER BY room, member LIMIT $3",
    write: "INSERT INTO members (room, member, role, state, since, read)
        VALUES ($1, $2, $3, $4, (SELECT MAX(from_position) FROM stays WHERE member = $2 AND room = $1), $5)",
    columns: &[Bytes, Bytes, Text, Text, Int],
    key: &[(0, Key::Bytes(16)), (1, Key::Bytes(16))],
    count: "SELECT COUNT(*) FROM members",
};

/// The same where positions are the source's.
static MEMBERS_IN_PLACE: Table = Table {
    name: MEMBERS.name,
    read: "SELECT room, member, role, state, read, read_position FROM members WHERE (room, member) > ($1, $2) ORDER BY room, member LIMIT $3",
    write: "INSERT INTO members (room, member, role, state, since, read, read_position)
        VALUES ($1, $2, $3, $4, (SELECT MAX(from_position) FROM stays WHERE member = $2 AND room = $1), $5, $6)",
    columns: &[Bytes, Bytes, Text, Text, Int, Int],
    key: MEMBERS.key,
    count: MEMBERS.count,
};

/// Without its places in the log: no cursor of the source holds in the target.
static OWN_STATE: Table = Table {
    name: "user_state",
    read: "SELECT member, key, value, stamp FROM user_state WHERE (member, key) > ($1, $2) ORDER BY member, key LIMIT $3",
    write: "INSERT INTO user_state (member, key, value, stamp, part, position, number) VALUES ($1, $2, $3, $4, 0, 0, 0)",
    columns: &[Bytes, Text, Text, Bytes],
    key: &[(0, Key::Bytes(16)), (1, Key::Text)],
    count: "SELECT COUNT(*) FROM user_state",
};

/// The same where positions are the source's.
static OWN_STATE_IN_PLACE: Table = Table {
    name: OWN_STATE.name,
    read: "SELECT member, key, value, stamp, part, position, number FROM user_state WHERE (member, key) > ($1, $2)
        ORDER BY member, key LIMIT $3",
    write: "INSERT INTO user_state (member, key, value, stamp, part, position, number) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    columns: &[Bytes, Text, Text, Bytes, Int, Int, Int],
    key: OWN_STATE.key,
    count: OWN_STATE.count,
};

static OWN_STATE_FLOORS: Table = Table {
    name: "user_state_floors",
    read: "SELECT member, part, position, number FROM user_state_floors WHERE (member, part) > ($1, $2) ORDER BY member, part LIMIT $3",
    write: "INSERT INTO user_state_floors (member, part, position, number) VALUES ($1, $2, $3, $4)",
    columns: &[Bytes, Int, Int, Int],
    key: &[(0, Key::Bytes(16)), (1, Key::Int)],
    count: "SELECT COUNT(*) FROM user_state_floors",
};

static OWN_STATE_ENDS: Table = Table {
    name: "user_state_ends",
    read: "SELECT part, number FROM user_state_ends WHERE part > $1 ORDER BY part LIMIT $2",
    write: "INSERT INTO user_state_ends (part, number) VALUES ($1, $2)",
    columns: &[Int, Int],
    key: &[(0, Key::Int)],
    count: "SELECT COUNT(*) FROM user_state_ends",
};

/// The tables that come after the log. Where positions change, nothing that tells of them is copied.
fn later_tables(keeps_positions: bool) -> Vec<&'static Table> {
    if keeps_positions {
        vec![
            &MEMBERS_IN_PLACE,
            &STATES,
            &REACTIONS,
            &UNTOLD,
            &THREAD_MEMBERS_IN_PLACE,
            &MENTIONS,
            &ROOM_MENTIONS,
            &OWN_STATE_IN_PLACE,
            &OWN_STATE_FLOORS,
            &OWN_STATE_ENDS,
        ]
    } else {
        vec![&MEMBERS, &STATES, &REACTIONS, &UNTOLD, &THREAD_MEMBERS, &MENTIONS, &ROOM_MENTIONS, &OWN_STATE]
    }
}

static STATES: Table = Table {
    name: "message_state",
    read:
        "SELECT room, seq, rev, edits, body, extra, edited_seq, edited_at, deleted_at, deleted_by, reactions, pin_seq, pinned_at, pinned_by,
        thread, aside, thread_total, thread_deleted, thread_last_seq, thread_last_at, thread_first
        FROM message_state WHERE (room, seq) > ($1, $2) ORDER BY room, seq LIMIT $3",
    write: "INSERT INTO message_state (room, seq, rev, edits, body, extra, edited_seq, edited_at, deleted_at, deleted_by, reactions,
        pin_seq, pinned_at, pinned_by, thread, aside, thread_total, thread_deleted, thread_last_seq, thread_last_at, thread_first)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
    columns: &[Bytes, Int, Int, Int, Text, Text, Int, Int, Int, Bytes, Text, Int, Int, Bytes, Int, Int, Int, Int, Int, Int, Text],
    key: &[(0, Key::Bytes(16)), (1, Key::Int)],
    count: "SELECT COUNT(*) FROM message_state",
};

static REACTIONS: Table = Table {
    name: "reactions",
    read: "SELECT room, seq, emoji, member, at_seq, at_place, created_at FROM reactions WHERE (room, seq, emoji, member) > ($1, $2, $3, $4)
        ORDER BY room, seq, emoji, member LIMIT $5",
    write: "INSERT INTO reactions (room, seq, emoji, member, at_seq, at_place, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    columns: &[Bytes, Int, Text, Bytes, Int, Int, Int],
    key: &[(0, Key::Bytes(16)), (1, Key::Int), (2, Key::Text), (3, Key::Bytes(16))],
    count: "SELECT COUNT(*) FROM reactions",
};

/// Without the positions at which marks moved.
static THREAD_MEMBERS: Table = Table {
    name: "thread_members",
    read: "SELECT member, room, thread, following, read, unread FROM thread_members WHERE (member, room, thread) > ($1, $2, $3)
        ORDER BY member, room, thread LIMIT $4",
    write: "INSERT INTO thread_members (member, room, thread, following, read, unread) VALUES ($1, $2, $3, $4, $5, $6)",
    columns: &[Bytes, Bytes, Int, Int, Int, Int],
    key: &[(0, Key::Bytes(16)), (1, Key::Bytes(16)), (2, Key::Int)],
    count: "SELECT COUNT(*) FROM thread_members",
};

/// The same where positions are the source's.
static THREAD_MEMBERS_IN_PLACE: Table = Table {
    name: THREAD_MEMBERS.name,
    read:
        "SELECT member, room, thread, following, read, unread, read_position FROM thread_members WHERE (member, room, thread) > ($1, $2, $3)
        ORDER BY member, room, thread LIMIT $4",
    write: "INSERT INTO thread_members (member, room, thread, following, read, unread, read_position) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    columns: &[Bytes, Bytes, Int, Int, Int, Int, Int],
    key: THREAD_MEMBERS.key,
    count: THREAD_MEMBERS.count,
};

/// Whoever serves the target tells what waits there.
static UNTOLD: Table = Table {
    name: "untold_reactions",
    read: "SELECT room, seq, due_at, changes, member FROM untold_reactions WHERE (room, seq) > ($1, $2) ORDER BY room, seq LIMIT $3",
    write: "INSERT INTO untold_reactions (room, seq, due_at, changes, member) VALUES ($1, $2, $3, $4, $5)",
    columns: &[Bytes, Int, Int, Int, Bytes],
    key: &[(0, Key::Bytes(16)), (1, Key::Int)],
    count: "SELECT COUNT(*) FROM untold_reactions",
};

static MENTIONS: Table = Table {
    name: "mentions",
    read: "SELECT member, room, seq, thread, aside, seen, created_at FROM mentions WHERE (member, room, seq) > ($1, $2, $3)
        ORDER BY member, room, seq LIMIT $4",
    write: "INSERT INTO mentions (member, room, seq, thread, aside, seen, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    columns: &[Bytes, Bytes, Int, Int, Int, Int, Int],
    key: &[(0, Key::Bytes(16)), (1, Key::Bytes(16)), (2, Key::Int)],
    count: "SELECT COUNT(*) FROM mentions",
};

static ROOM_MENTIONS: Table = Table {
    name: "room_mentions",
    read: "SELECT room, seq, thread, aside, sender, created_at FROM room_mentions WHERE (room, seq) > ($1, $2) ORDER BY room, seq LIMIT $3",
    write: "INSERT INTO room_mentions (room, seq, thread, aside, sender, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    columns: &[Bytes, Int, Int, Int, Bytes, Int],
    key: &[(0, Key::Bytes(16)), (1, Key::Int)],
    count: "SELECT COUNT(*) FROM room_mentions",
};

/// The name of the search index.
const WORDS: &str = "words";
const STAYS: &str = "SELECT COUNT(*) FROM stays";
const LOG: &str = "SELECT COUNT(*) FROM log";

const READ: &str = "SELECT position, created_at, part, room, seq, kind, version, actor, subject, ref_seq, messages, newest, member_count, id, nonce, payload, extra, active_at,
    thread, thread_count FROM log WHERE part = $1 AND position > $2 ORDER BY position LIMIT $3";
const COLUMNS: [Column; 20] =
    [Int, Int, Int, Bytes, Int, Int, Int, Bytes, Bytes, Int, Int, Int, Int, Bytes, Text, Text, Text, Int, Int, Int];
const WRITE: &str = "INSERT INTO log (position, created_at, part, room, seq, kind, version, actor, subject, ref_seq, messages, newest, member_count, id, nonce, payload,
        extra, active_at, thread, thread_count)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

/// The first seq of a membership, in the source.
const FROM_SEQ: &str = "SELECT from_seq FROM stays WHERE member = $1 AND room = $2 AND from_position = $3";
const BEGIN_INTERVAL: &str = "INSERT INTO stays (member, room, part, from_position, from_seq) VALUES ($1, $2, $3, $4, $5)";
const END_INTERVAL: &str = "UPDATE stays SET to_position = $3, to_seq = $4 WHERE member = $1 AND room = $2 AND to_position IS NULL";

/// The kinds of rows with which a membership begins and ends (see `store::log::Kind`).
const CREATED: i64 = 1;
const LEFT: i64 = 4;

/// How many rows each table of the source has, by name.
///
/// # Errors
/// The source's.
pub async fn counts(db: &Db) -> Result<Vec<(&'static str, u64)>, Error> {
    let mut counts = Vec::new();
    for (name, sql) in [
        (ROOMS.name, ROOMS.count),
        ("log", LOG),
        (MEMBERS.name, MEMBERS.count),
        (STATES.name, STATES.count),
        (REACTIONS.name, REACTIONS.count),
        (THREAD_MEMBERS.name, THREAD_MEMBERS.count),
        (MENTIONS.name, MENTIONS.count),
        (ROOM_MENTIONS.name, ROOM_MENTIONS.count),
        (UNTOLD.name, UNTOLD.count),
        (OWN_STATE.name, OWN_STATE.count),
        (WORDS, LOG),
    ] {
        let count = db.read(move |tx| Box::pin(async move { tx.row(sql, &[], |row| row.int(0)).await })).await?;
        counts.push((name, count.unwrap_or(0).unsigned_abs()));
    }
    Ok(counts)
}

/// Whether positions in the target are what they are in the source, so that cursors hold.
pub fn keeps_positions(from: &Db, to: &Db) -> bool {
    Partitions::of(from) == Partitions::of(to)
}

/// Copies this service's tables, and compares what can be compared row by row; the rest is for [`check`](crate::check).
///
/// # Errors
/// One of the databases failed, or the source was changed meanwhile.
pub async fn copy(copy: &mut Copy<'_>) -> Result<(), CopyError> {
    copy.table(&ROOMS).await?;
    log(copy).await?;
    let later = later_tables(keeps_positions(copy.from, copy.to));
    for table in &later {
        copy.table(table).await?;
    }
    let tables: Vec<&'static Table> = std::iter::once(&ROOMS).chain(later).collect();
    for table in &tables {
        copy.compare(table).await?;
    }
    for (name, sql) in tables.iter().map(|table| (table.name, table.count)).chain([("stays", STAYS), ("log", LOG)]) {
        copy.count(name, sql).await?;
    }
    log_version::copy(copy.from, copy.to).await?;
    // The index holds positions and depends on the engine, so it is built anew. An interrupted build goes on.
    let to = copy.to;
    index::catch_up(to, 1, |done| copy.report(WORDS, done.unsigned_abs())).await?;
    Ok(())
}

/// A partition of the source, with rows that were read and not taken yet.
struct Source {
    part: u16,
    /// The last position that was read, and the last that was taken.
    read: i64,
    taken: i64,
    waiting: VecDeque<LogRow>,
    ended: bool,
}

/// A row of the log: its values, in the order of [`COLUMNS`], and the columns that are needed here.
struct LogRow {
    values: Vec<Value>,
    position: i64,
    created_at: i64,
    room: RoomId,
    kind: i64,
    version: i64,
}

impl LogRow {
    /// Whether this program knows what a row of this kind does. Others are copied as they are.
    fn is_known(&self) -> bool {
        self.version == 1 || matches!((self.kind, self.version), (2 | 5, 2))
    }
}

async fn log(copy: &mut Copy<'_>) -> Result<(), CopyError> {
    let (here, there) = (Partitions::of(copy.from), Partitions::of(copy.to));
    let mut sources = Vec::new();
    for part in here.all() {
        let taken = place(copy.to, taken_from(part)).await?;
        sources.push(Source { part, read: taken, taken, waiting: VecDeque::new(), ended: false });
    }
    let mut ends = Vec::new();
    for part in there.all() {
        ends.push(place(copy.to, written_to(part)).await?);
    }
    loop {
        copy.report("log", ends.iter().sum::<i64>().unsigned_abs());
        let mut batch = Vec::with_capacity(ROWS_AT_ONCE);
        while batch.len() < ROWS_AT_ONCE {
            for source in &mut sources {
                fill(copy.from, source).await?;
            }
            let next = sources.iter_mut().filter(|source| !source.waiting.is_empty());
            let Some(source) = next.min_by_key(|source| source.waiting.front().map(|row| (row.created_at, source.part))) else { break };
            let Some(row) = source.waiting.pop_front() else { break };
            source.taken = row.position;
            batch.push(row);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let taken = sources.iter().map(|source| (taken_from(source.part), source.taken)).collect();
        write(copy, batch, &mut ends, taken).await?;
    }
}

async fn place(db: &Db, what: String) -> Result<i64, Error> {
    Ok(db.read(move |tx| Box::pin(async move { noted(tx, &what).await })).await?.map_or(0, |(position, _)| position))
}

fn taken_from(part: u16) -> String {
    format!("log taken {part}")
}

fn written_to(part: u16) -> String {
    format!("log written {part}")
}

/// Reads more rows if none wait.
async fn fill(from: &Db, source: &mut Source) -> Result<(), Error> {
    if source.ended || !source.waiting.is_empty() {
        return Ok(());
    }
    let values = values![i64::from(source.part), source.read, i64::try_from(ROWS_AT_ONCE).unwrap_or(i64::MAX)];
    let read = |row: &db::Row<'_>| {
        Ok(LogRow {
            values: whole(row, &COLUMNS)?,
            position: row.int(0)?,
            created_at: row.int(1)?,
            room: RoomId::from_bytes(row.id(3)?),
            kind: row.int(5)?,
            version: row.int(6)?,
        })
    };
    let rows = from.read(move |tx| Box::pin(async move { tx.rows(READ, &values, read).await })).await?;
    match rows.last() {
        Some(last) => source.read = last.position,
        None => source.ended = true,
    }
    source.waiting = rows.into();
    Ok(())
}

/// Writes rows of the log with the memberships that begin and end with them.
async fn write(copy: &Copy<'_>, batch: Vec<LogRow>, ends: &mut [i64], taken: Vec<(String, i64)>) -> Result<(), CopyError> {
    let there = Partitions::of(copy.to);
    let begins: Vec<_> =
        batch.iter().filter(|row| row.kind == CREATED).map(|row| values![subject(row), row.room.bytes(), row.position]).collect();
    let begins = if begins.is_empty() {
        Vec::new()
    } else {
        copy.from.read(move |tx| Box::pin(async move { tx.row_each(FROM_SEQ, &begins, |row| row.int(0)).await })).await?
    };
    let mut begins = begins.into_iter();
    let (mut rows, mut intervals) = (Vec::with_capacity(batch.len()), Vec::new());
    for mut row in batch {
        let part = there.of_room(row.room);
        let Some(end) = ends.get_mut(usize::from(part)) else { continue };
        *end += 1;
        let (member, room) = (subject(&row), row.room.bytes());
        match row.kind {
            CREATED => match begins.next().flatten() {
                Some(seq) => intervals.push((BEGIN_INTERVAL, values![member, room, i64::from(part), *end, seq])),
                None if row.is_known() => {
                    let cause = format!("the source has no membership for its row at {}: guild check says more", row.position);
                    return Err(CopyError::Refused(cause));
                }
                None => {}
            },
            LEFT if row.is_known() => {
                intervals.push((END_INTERVAL, values![member, room, *end, row.values.get(4).cloned().unwrap_or(Value::NullInt)]))
            }
            _ => {}
        }
        for (column, value) in [(0, *end), (2, i64::from(part))] {
            if let Some(place) = row.values.get_mut(column) {
                *place = Value::Int(value);
            }
        }
        rows.push(row.values);
    }
    let written = there.all().zip(ends.iter()).map(|(part, end)| (written_to(part), *end));
    let notes: Vec<_> = taken.into_iter().chain(written).collect();
    copy.to
        .write(move |tx| {
            Box::pin(async move {
                tx.execute_each(WRITE, &rows).await?;
                // In their order: a member may leave and join again.
                for (sql, values) in intervals {
                    tx.execute(sql, &values).await?;
                }
                for (what, position) in notes {
                    note(tx, &what, position, &[]).await?;
                }
                Ok(())
            })
        })
        .await?;
    Ok(())
}

fn subject(row: &LogRow) -> Value {
    row.values.get(8).cloned().unwrap_or(Value::NullBytes)
}
