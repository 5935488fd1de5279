//! The tables `user_state` (users' own values under keys), `user_state_floors` and `user_state_ends`.
//!
//! A row is stamped with a place of the log: the partition whose writer changed it, and that partition's last position after the commit. So what
//! has changed since a cursor is what is stamped at its positions or later. The changes of a partition are also counted (`number`), so that a
//! gateway notices one of which it has not heard. A removed value stays as a row without one, until there are too many of them.

use crate::partitions::Partitions;
use contract::{Stamp, StateKey, UserId};
use db::{Error, Row, Tx, Value, values};
use std::collections::HashMap;

/// Whose value, and under which key.
pub(crate) type StateRowKey = (UserId, StateKey);

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateRow {
    /// JSON; none if it was removed.
    pub value: Option<String>,
    pub stamp: Stamp,
}

/// A row as it is written.
pub(crate) struct StateChange {
    pub key: StateRowKey,
    pub row: StateRow,
    /// Its number within the partition.
    pub number: i64,
}

/// How many rows a user has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StateCount {
    /// Those that have a value, and all.
    pub live: i64,
    pub rows: i64,
}

fn key_values((member, key): &StateRowKey) -> Vec<Value> {
    values![member.bytes(), key.as_str()]
}

fn state_row(row: &Row<'_>) -> Result<StateRow, Error> {
    Ok(StateRow { value: row.maybe_text(0)?, stamp: Stamp::from_bytes(row.id(1)?) })
}

fn state_key(row: &Row<'_>, column: usize) -> Result<StateKey, Error> {
    let key = row.text(column)?;
    StateKey::try_from(key.clone()).map_err(|_| Error::Failed(format!("user_state has the wrong key {key:?}")))
}

macro_rules! find {
    ($rest:literal) => {
        concat!("SELECT value, stamp FROM user_state WHERE member = $1 AND key = $2", $rest)
    };
}

/// What stands under each key.
pub(crate) async fn find_each(tx: &mut Tx, keys: &[StateRowKey]) -> Result<Vec<Option<StateRow>>, Error> {
    tx.row_each(find!(""), &keys.iter().map(key_values).collect::<Vec<_>>(), state_row).await
}

/// The same for a writer. On a shared database writers of other partitions wait for these rows until the commit. Every writer gives the keys in
/// ascending order, so that no two of them wait for each other.
pub(crate) async fn find_each_to_change(tx: &mut Tx, keys: &[StateRowKey]) -> Result<Vec<Option<StateRow>>, Error> {
    if !tx.is_shared() {
        return find_each(tx, keys).await;
    }
    // SQLite has no such words, and needs none: its writer is alone.
    tx.row_each(find!(" FOR UPDATE"), &keys.iter().map(key_values).collect::<Vec<_>>(), state_row).await
}

/// How many rows each user has.
pub(crate) async fn count_each(tx: &mut Tx, members: &[UserId]) -> Result<Vec<StateCount>, Error> {
    let sql = "SELECT COUNT(value), COUNT(*) FROM user_state WHERE member = $1";
    let each: Vec<_> = members.iter().map(|member| values![member.bytes()]).collect();
    let counts = tx.row_each(sql, &each, |row| Ok(StateCount { live: row.int(0)?, rows: row.int(1)? })).await?;
    Ok(counts.into_iter().map(Option::unwrap_or_default).collect())
}

/// Writes changes at a place of the log, in the order of their numbers, of which the last one is the partition's last from now on.
pub(crate) async fn save_each(tx: &mut Tx, changes: &[StateChange], part: u16, position: i64) -> Result<(), Error> {
    let Some(last) = changes.last() else { return Ok(()) };
    let sql = "INSERT INTO user_state (member, key, value, stamp, part, position, number) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (member, key) DO UPDATE SET value = $3, stamp = $4, part = $5, position = $6, number = $7";
    let end = "INSERT INTO user_state_ends (part, number) VALUES ($1, $2) ON CONFLICT (part) DO UPDATE SET number = $2";
    let part = i64::from(part);
    let values = |StateChange { key: (member, key), row, number }: &StateChange| {
        values![member.bytes(), key.as_str(), row.value.clone(), row.stamp.bytes(), part, position, *number]
    };
    tx.execute_each(sql, &changes.iter().map(values).collect::<Vec<_>>()).await?;
    tx.execute(end, &values![part, last.number]).await.map(|_| ())
}

/// The number of the last change in each partition.
pub(crate) async fn ends(tx: &mut Tx, partitions: Partitions) -> Result<Vec<i64>, Error> {
    let sql = "SELECT number FROM user_state_ends WHERE part = $1";
    let each: Vec<_> = partitions.all().map(|part| values![i64::from(part)]).collect();
    Ok(tx.row_each(sql, &each, |row| row.int(0)).await?.into_iter().map(Option::unwrap_or_default).collect())
}

/// The keys whose last change in a partition came after a number, in the order of the numbers, which come with them.
pub(crate) async fn keys_after(tx: &mut Tx, part: u16, number: i64, limit: i64) -> Result<Vec<(i64, StateRowKey)>, Error> {
    let sql = "SELECT number, member, key FROM user_state WHERE part = $1 AND number > $2 ORDER BY number LIMIT $3";
    let read = |row: &Row<'_>| Ok((row.int(0)?, (UserId::from_bytes(row.id(1)?), state_key(row, 2)?)));
    tx.rows(sql, &values![i64::from(part), number, limit], read).await
}

/// A user's values by key: those whose keys begin with a prefix and come after a key.
pub(crate) async fn page(tx: &mut Tx, member: UserId, prefix: &str, after: &str, limit: i64) -> Result<Vec<(StateKey, StateRow)>, Error> {
    // Every character that a key may have comes before U+007F.
    let sql = "SELECT value, stamp, key FROM user_state WHERE member = $1 AND key >= $2 AND key < $3 AND key > $4 AND value IS NOT NULL
        ORDER BY key LIMIT $5";
    let read = |row: &Row<'_>| Ok((state_key(row, 2)?, state_row(row)?));
    tx.rows(sql, &values![member.bytes(), prefix, format!("{prefix}\u{7f}"), after, limit], read).await
}

/// For each user: the last position in each partition at which a value changed; a partition without any is left out.
pub(crate) async fn changed_each(tx: &mut Tx, members: &[UserId]) -> Result<Vec<Vec<(u16, i64)>>, Error> {
    let sql = "SELECT part, MAX(position) FROM (SELECT part, position FROM user_state WHERE member = $1
            UNION ALL SELECT part, position FROM user_state_floors WHERE member = $1) AS changed GROUP BY part";
    let each: Vec<_> = members.iter().map(|member| values![member.bytes()]).collect();
    tx.rows_each(sql, &each, |row| Ok((crate::partitions::number(row.int(0)?)?, row.int(1)?))).await
}

/// What has changed of a user's values.
pub(crate) enum Since {
    /// These rows.
    Rows(Vec<(StateKey, StateRow)>),
    /// It is not known any more, or more than was asked for.
    TooMuch,
}

/// A user's values that were changed at these positions or later, one for each partition; at most so many bytes. The sizes are read first, so that
/// no more than that is in memory.
pub(crate) async fn since(tx: &mut Tx, member: UserId, positions: &[i64], bytes: i64) -> Result<Since, Error> {
    let floor = "SELECT part FROM user_state_floors WHERE member = $1 AND part = $2 AND position >= $3";
    let size = "SELECT CAST(COALESCE(SUM(octet_length(key) + COALESCE(octet_length(value), 4) + 80), 0) AS BIGINT) FROM user_state
        WHERE member = $1 AND part = $2 AND position >= $3";
    let sql = "SELECT value, stamp, key FROM user_state WHERE member = $1 AND part = $2 AND position >= $3 ORDER BY number";
    let each: Vec<_> = (0_i64..).zip(positions).map(|(part, position)| values![member.bytes(), part, *position]).collect();
    if tx.row_each(floor, &each, |row| row.int(0)).await?.iter().any(Option::is_some) {
        return Ok(Since::TooMuch);
    }
    let sizes = tx.row_each(size, &each, |row| row.int(0)).await?;
    match sizes.into_iter().flatten().sum::<i64>() {
        0 => Ok(Since::Rows(Vec::new())),
        size if size > bytes => Ok(Since::TooMuch),
        _ => {
            let rows = tx.rows_each(sql, &each, |row| Ok((state_key(row, 2)?, state_row(row)?))).await?;
            Ok(Since::Rows(rows.into_iter().flatten().collect()))
        }
    }
}

/// The users of whom removed values are forgotten whose last change in a partition came after a number.
pub(crate) async fn forgotten_after(tx: &mut Tx, part: u16, number: i64) -> Result<Vec<UserId>, Error> {
    let sql = "SELECT member FROM user_state_floors WHERE part = $1 AND number > $2";
    tx.rows(sql, &values![i64::from(part), number], |row| Ok(UserId::from_bytes(row.id(0)?))).await
}

/// Forgets the longest removed of a user's values, at most so many, and notes up to where. Answers how many.
pub(crate) async fn forget_removed(tx: &mut Tx, member: UserId, count: i64) -> Result<usize, Error> {
    let oldest = "SELECT key, stamp, part, position, number FROM user_state WHERE member = $1 AND value IS NULL ORDER BY stamp LIMIT $2";
    let remove = "DELETE FROM user_state WHERE member = $1 AND key = $2 AND stamp = $3";
    let raise = "INSERT INTO user_state_floors AS f (member, part, position, number) VALUES ($1, $2, $3, $4)
        ON CONFLICT (member, part) DO UPDATE SET position = CASE WHEN f.position < $3 THEN $3 ELSE f.position END,
            number = CASE WHEN f.number < $4 THEN $4 ELSE f.number END";
    let read = |row: &Row<'_>| Ok((state_key(row, 0)?, row.id(1)?, row.int(2)?, (row.int(3)?, row.int(4)?)));
    let mut removed = tx.rows(oldest, &values![member.bytes(), count], read).await?;
    // Writers lock rows in this order, too.
    removed.sort();
    let rows: Vec<_> = removed.iter().map(|(key, stamp, ..)| values![member.bytes(), key.as_str(), *stamp]).collect();
    let gone = tx.execute_each(remove, &rows).await?;
    let mut floors: HashMap<i64, (i64, i64)> = HashMap::new();
    for (_, _, part, (position, number)) in &removed {
        let floor = floors.entry(*part).or_default();
        *floor = (floor.0.max(*position), floor.1.max(*number));
    }
    let floors = floors.into_iter().map(|(part, (position, number))| values![member.bytes(), part, position, number]);
    tx.execute_each(raise, &floors.collect::<Vec<_>>()).await?;
    Ok(gone.into_iter().filter(|gone| *gone > 0).count())
}
