//! Copies a whole database to another one, of either engine, in transactions of some rows each. A note in the target says how far the copy
//! has come, so that an interrupted copy goes on. While the note is there, the target can be opened only to go on.

use std::fmt;

use crate::db::Db;
use crate::error::Error;
use crate::migrations::{COPY_BEGINS, COPY_ENDS, WRITE_EPOCH};
use crate::row::Row;
use crate::tx::Tx;
use crate::value::Value;
use crate::values;

/// How many rows are written in one transaction.
pub const ROWS_AT_ONCE: usize = 1_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A `BIGINT`.
    Int,
    /// A `TEXT`.
    Text,
    /// A `BYTEA`.
    Bytes,
}

/// A table that is copied as it is.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name, for the note and for people.
    pub name: &'static str,
    /// Reads rows by rising key: the parameters are the key after which to begin, and how many.
    pub read: &'static str,
    /// Writes a row: the parameters are the columns that `read` answers.
    pub write: &'static str,
    /// What `read` answers.
    pub columns: &'static [Column],
    /// Which of the columns are the key, and what each holds.
    pub key: &'static [(usize, Key)],
    /// Counts the rows.
    pub count: &'static str,
}

/// What a column of a key holds, for the note of how far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// So many bytes.
    Bytes(usize),
    /// A number.
    Int,
    /// A text.
    Text,
}

impl Key {
    /// A value before all that the column may hold.
    fn first(self) -> Value {
        match self {
            Key::Bytes(_) => Value::Bytes(Vec::new()),
            Key::Int => Value::Int(i64::MIN),
            Key::Text => Value::Text(String::new()),
        }
    }

    /// Reads a value from the beginning of a note, and answers the rest of the note. A note that is cut short begins anew.
    fn read(self, note: &[u8]) -> (Value, &[u8]) {
        match self {
            Key::Bytes(length) => {
                let (bytes, rest) = note.split_at_checked(length).unwrap_or((note, &[]));
                (Value::Bytes(bytes.to_vec()), rest)
            }
            Key::Int => match note.split_first_chunk() {
                Some((bytes, rest)) => (Value::Int(i64::from_be_bytes(*bytes)), rest),
                None => (self.first(), &[]),
            },
            Key::Text => {
                let text = note.split_first_chunk().and_then(|(length, rest)| {
                    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
                    Some((Value::Text(String::from_utf8(text.to_vec()).ok()?), rest))
                });
                text.unwrap_or((self.first(), &[]))
            }
        }
    }
}

/// A value of a key in a note; see [`Key::read`].
fn noted_key(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Int(number) => number.to_be_bytes().to_vec(),
        Value::Text(text) => {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            [&length.to_be_bytes(), text.as_bytes()].concat()
        }
        _ => Vec::new(),
    }
}

/// Why a copy could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyError {
    /// One of the databases failed; the same copy can be tried again, and goes on.
    Database(Error),
    /// It may not be made so: what to do instead.
    Refused(String),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyError::Database(error) => write!(f, "{error}; the same command goes on from there"),
            CopyError::Refused(cause) => f.write_str(cause),
        }
    }
}

impl std::error::Error for CopyError {}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        CopyError::Database(error)
    }
}

const TABLE: &str = "CREATE TABLE copying (what TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, place BYTEA NOT NULL)";
const DROP: &str = "DROP TABLE copying";
const NOTE: &str = "INSERT INTO copying (what, number, place) VALUES ($1, $2, $3)
    ON CONFLICT (what) DO UPDATE SET number = excluded.number, place = excluded.place";
const NOTED: &str = "SELECT number, place FROM copying WHERE what = $1";
const BEGUN: &str = "SELECT COUNT(*) FROM schema_steps WHERE service = 'copy'";

/// What it is called in the note that the source is this one.
const SOURCE: &str = "source";

/// A copy that is being made.
pub struct Copy<'a> {
    /// Where the rows are.
    pub from: &'a Db,
    /// Where they go.
    pub to: &'a Db,
    moved: Box<dyn FnMut(&'static str, u64) + Send + 'a>,
}

impl<'a> Copy<'a> {
    /// Begins a copy, or goes on with one that was cut short. Both databases are to be open with [`Access::Alone`](crate::Access::Alone).
    /// `must_be_empty` are statements that count what a target may not hold yet. After every transaction `moved` is called with the table and
    /// the number of its rows that were copied so far.
    ///
    /// # Errors
    /// The target holds something else, or the source is itself half a copy.
    pub async fn begin(
        from: &'a Db,
        to: &'a Db,
        must_be_empty: Vec<&'static str>,
        moved: impl FnMut(&'static str, u64) + Send + 'a,
    ) -> Result<Copy<'a>, CopyError> {
        let begun = async |db: &Db| db.read(|tx| Box::pin(number(tx, BEGUN))).await.map(|count| count > 0);
        if begun(from).await? {
            return Err(CopyError::Refused("the source is itself a copy that is not complete: make that one first".to_owned()));
        }
        let source = from.epoch().cast_signed();
        if begun(to).await? {
            let noted = to.read(|tx| Box::pin(noted(tx, SOURCE))).await?;
            if noted.is_none_or(|(epoch, _)| epoch != source) {
                return Err(CopyError::Refused(
                    "the target holds part of a copy of another database: finish that one, or give an empty target".to_owned(),
                ));
            }
        } else {
            for sql in must_be_empty {
                if to.read(|tx| Box::pin(number(tx, sql))).await? > 0 {
                    return Err(CopyError::Refused(
                        "the target holds data already: give an empty database, or a file that is not there".to_owned(),
                    ));
                }
            }
            to.write(move |tx| {
                Box::pin(async move {
                    tx.execute(TABLE, &[]).await?;
                    tx.execute(COPY_BEGINS, &[]).await?;
                    note(tx, SOURCE, source, &[]).await
                })
            })
            .await?;
        }
        Ok(Copy { from, to, moved: Box::new(moved) })
    }

    /// Reports that so many rows of a table were copied.
    pub fn report(&mut self, table: &'static str, rows: u64) {
        (self.moved)(table, rows);
    }

    /// Copies a table, or what is not copied yet of it.
    ///
    /// # Errors
    /// One of the databases failed.
    pub async fn table(&mut self, table: &'static Table) -> Result<(), CopyError> {
        let noted = self.to.read(move |tx| Box::pin(noted(tx, table.name))).await?;
        let (mut count, mut place) = noted.map_or((0, table.first()), |(count, place)| (count, table.split(&place)));
        loop {
            self.report(table.name, count.unsigned_abs());
            let rows = self.some(self.from, table, &place).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            place = table.key_of(last);
            count += i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let place = table.joined(last);
            self.to
                .write(move |tx| {
                    Box::pin(async move {
                        tx.execute_each(table.write, &rows).await?;
                        note(tx, table.name, count, &place).await
                    })
                })
                .await?;
        }
    }

    /// Reads a table on both sides, and compares every row.
    ///
    /// # Errors
    /// They differ: the source was changed since its copy was begun.
    pub async fn compare(&self, table: &'static Table) -> Result<(), CopyError> {
        let mut place = table.first();
        loop {
            let (here, there) = (self.some(self.from, table, &place).await?, self.some(self.to, table, &place).await?);
            if here != there {
                return Err(CopyError::Refused(format!(
                    "the table {} differs: the source was changed since the copy was begun. Empty the target, and begin again",
                    table.name
                )));
            }
            match here.last() {
                Some(last) => place = table.key_of(last),
                None => return Ok(()),
            }
        }
    }

    /// Counts the rows of a table on both sides, which must be as many.
    ///
    /// # Errors
    /// They are not.
    pub async fn count(&self, name: &str, sql: &'static str) -> Result<u64, CopyError> {
        let count = async |db: &Db| db.read(move |tx| Box::pin(number(tx, sql))).await;
        let (here, there) = (count(self.from).await?, count(self.to).await?);
        if here == there {
            return Ok(here.unsigned_abs());
        }
        Err(CopyError::Refused(format!("{name}: {here} rows in the source, {there} in the target. Empty the target, and begin again")))
    }

    /// Everything is there: the target can be served. With `keep_epoch` the cursors of the source hold in the target, which needs the
    /// same positions.
    ///
    /// # Errors
    /// The target failed.
    pub async fn finish(self, keep_epoch: bool) -> Result<(), CopyError> {
        let epoch = keep_epoch.then(|| self.from.epoch().cast_signed());
        self.to
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(epoch) = epoch {
                        tx.execute(WRITE_EPOCH, &values![epoch]).await?;
                    }
                    tx.execute(COPY_ENDS, &[]).await?;
                    tx.execute(DROP, &[]).await.map(|_| ())
                })
            })
            .await?;
        Ok(())
    }

    async fn some(&self, db: &Db, table: &'static Table, after: &[Value]) -> Result<Vec<Vec<Value>>, Error> {
        let mut values = after.to_vec();
        values.push(Value::Int(i64::try_from(ROWS_AT_ONCE).unwrap_or(i64::MAX)));
        db.read(move |tx| Box::pin(async move { tx.rows(table.read, &values, |row| whole(row, table.columns)).await })).await
    }
}

impl Table {
    /// Before every key.
    fn first(&self) -> Vec<Value> {
        self.key.iter().map(|(_, key)| key.first()).collect()
    }

    fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().filter_map(|(column, _)| row.get(*column).cloned()).collect()
    }

    fn joined(&self, row: &[Value]) -> Vec<u8> {
        self.key_of(row).iter().flat_map(noted_key).collect()
    }

    fn split(&self, mut place: &[u8]) -> Vec<Value> {
        let mut parts = Vec::with_capacity(self.key.len());
        for (_, key) in self.key {
            let (part, rest) = key.read(place);
            parts.push(part);
            place = rest;
        }
        parts
    }
}

/// A row's columns as the values that write them.
///
/// # Errors
/// A column holds something else.
pub fn whole(row: &Row<'_>, columns: &[Column]) -> Result<Vec<Value>, Error> {
    let value = |(index, column): (usize, &Column)| match column {
        Column::Int => row.maybe_int(index).map(Value::from),
        Column::Text => row.maybe_text(index).map(Value::from),
        Column::Bytes => row.maybe_bytes(index).map(Value::from),
    };
    columns.iter().enumerate().map(value).collect()
}

/// Notes in the target how far something came, in the transaction that brought it there.
///
/// # Errors
/// The target's.
pub async fn note(tx: &mut Tx, what: &str, number: i64, place: &[u8]) -> Result<(), Error> {
    tx.execute(NOTE, &values![what, number, place]).await.map(|_| ())
}

/// How far something came; nothing if it was not begun.
///
/// # Errors
/// The target's.
pub async fn noted(tx: &mut Tx, what: &str) -> Result<Option<(i64, Vec<u8>)>, Error> {
    tx.row(NOTED, &values![what], |row| Ok((row.int(0)?, row.bytes(1)?))).await
}

async fn number(tx: &mut Tx, sql: &'static str) -> Result<i64, Error> {
    Ok(tx.row(sql, &[], |row| row.int(0)).await?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_its_note() {
        let table = Table {
            name: "t",
            read: "",
            write: "",
            columns: &[Column::Bytes, Column::Text, Column::Int],
            key: &[(0, Key::Bytes(2)), (2, Key::Int), (1, Key::Text)],
            count: "",
        };
        let row = [Value::Bytes(vec![7, 8]), Value::Text("é".into()), Value::Int(-5)];
        let key = vec![Value::Bytes(vec![7, 8]), Value::Int(-5), Value::Text("é".into())];
        assert_eq!(table.key_of(&row), key);
        assert_eq!(table.split(&table.joined(&row)), key);
        assert_eq!(table.split(&[]), table.first());
    }
}
