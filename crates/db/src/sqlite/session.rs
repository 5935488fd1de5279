//! A connection as one thread uses it: it runs statements and notices other writers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::types::{Null, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use super::explain::explain;
use super::migrate;
use super::shared::Shared;
use crate::error::Error;
use crate::row::{Row, Source};
use crate::value::Value;
use crate::work::EachRow;

/// A connection, the statements that it was given, and what it has seen of other writers.
pub(crate) struct Session {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    /// Each statement with `?n` for `$n`, by the address and length of the text that it was made of.
    numbered: HashMap<(usize, usize), String>,
    /// `PRAGMA data_version` as it was last seen, and how often it has changed since the start.
    version: i64,
    foreign: u64,
}

impl Session {
    /// A session over this connection, which has no transaction open.
    pub(super) fn new(connection: Connection, shared: Arc<Shared>) -> Session {
        let mut session = Session { connection, shared, numbered: HashMap::new(), version: 0, foreign: 0 };
        // The first transaction meets a failure again, and answers it.
        session.version = session.data_version().unwrap_or_default();
        session
    }

    /// Runs a statement and gives up to `limit` rows of its answer to `each`.
    pub(crate) fn rows(&mut self, sql: &'static str, values: &[Value], limit: usize, each: &mut EachRow<'_>) -> Result<(), Error> {
        some_rows(&mut self.prepare(sql, 1)?, values, limit, each)
    }

    /// The same for each of these lists of values; `each_row` gets the list's place too.
    pub(crate) fn rows_each(
        &mut self,
        sql: &'static str,
        each: &[Vec<Value>],
        limit: usize,
        each_row: &mut (dyn FnMut(usize, &Row<'_>) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        if each.is_empty() {
            return Ok(());
        }
        let mut statement = self.prepare(sql, each.len())?;
        let mut lists = each.iter().enumerate();
        lists.try_for_each(|(which, values)| some_rows(&mut statement, values, limit, &mut |row| each_row(which, row)))
    }

    /// Runs a statement that answers no rows; how many it changed.
    pub(crate) fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, Error> {
        execute(&mut self.prepare(sql, 1)?, values)
    }

    /// The same for each of these lists of values.
    pub(crate) fn execute_each(&mut self, sql: &'static str, each: &[Vec<Value>]) -> Result<Vec<u64>, Error> {
        if each.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.prepare(sql, each.len())?;
        each.iter().map(|values| execute(&mut statement, values)).collect()
    }

    /// Runs one of this crate's own statements, without values.
    pub(super) fn run(&self, sql: &'static str) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| explain(&error))?;
        statement.raw_execute().map(|_| ()).map_err(|error| explain(&error))
    }

    /// Checks whether another connection has written. If so it counts that, notifies the listeners and reads the epoch again, because a tool
    /// may have begun a new one. Answers the count.
    pub(super) fn notice_foreign_writes(&mut self) -> Result<u64, Error> {
        let version = self.data_version()?;
        if version != self.version {
            self.version = version;
            self.foreign += 1;
            let epoch = migrate::read_epoch(&self.connection).map_err(|error| explain(&error))?;
            self.shared.epoch.store(epoch, Ordering::Relaxed);
            self.shared.foreign.send_replace(self.foreign);
        }
        Ok(self.foreign)
    }

    /// Ends whatever transaction is open, undoing it. (After a full disk SQLite has done so itself.)
    pub(super) fn roll_back(&self) -> Result<(), Error> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    fn data_version(&self) -> Result<i64, Error> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version").map_err(|error| explain(&error))?;
        statement.query_row([], |row| row.get(0)).map_err(|error| explain(&error))
    }

    /// The statement, to be given values and run so many times.
    fn prepare(&mut self, sql: &'static str, times: usize) -> Result<CachedStatement<'_>, Error> {
        self.shared.statements.fetch_add(times as u64, Ordering::Relaxed);
        let numbered: &str = match self.numbered.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(number_parameters(sql)),
        };
        self.connection.prepare_cached(numbered).map_err(|error| explain(&error))
    }
}

fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<(), Error> {
    if statement.parameter_count() != values.len() {
        let wanted = statement.parameter_count();
        return Err(Error::Failed(format!("{wanted} values are wanted, {} were given", values.len())));
    }
    for (index, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, value).map_err(|error| explain(&error))?;
    }
    Ok(())
}

fn execute(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<u64, Error> {
    bind(statement, values)?;
    let changed = statement.raw_execute().map_err(|error| explain(&error))?;
    u64::try_from(changed).map_err(|error| Error::Failed(error.to_string()))
}

fn some_rows(statement: &mut CachedStatement<'_>, values: &[Value], limit: usize, each: &mut EachRow<'_>) -> Result<(), Error> {
    bind(statement, values)?;
    // A statement that writes is stepped to its end whatever happens: its foreign keys are checked there.
    let reads = statement.readonly();
    let mut taken = 0;
    let mut outcome = Ok(());
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| explain(&error))? {
        if taken < limit && outcome.is_ok() {
            outcome = each(&Row(Source::Sqlite(row)));
            taken += 1;
        }
        if reads && (taken >= limit || outcome.is_err()) {
            break;
        }
    }
    outcome
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Int(value) => ToSqlOutput::from(*value),
            Value::Text(text) if text.as_bytes().contains(&0) => {
                return Err(rusqlite::Error::ToSqlConversionFailure("a text with a NUL character".into()));
            }
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Value::NullInt | Value::NullText | Value::NullBytes => ToSqlOutput::from(Null),
        })
    }
}

/// `?n` for every `$n`, because SQLite numbers `$n` by first appearance. Texts, quoted names and comments stay.
fn number_parameters(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    let mut quote = None;
    while let Some(character) = rest.next() {
        match quote {
            Some(end) => {
                if character == end {
                    quote = None;
                }
                numbered.push(character);
            }
            None => {
                match character {
                    '\'' | '"' => quote = Some(character),
                    '-' if rest.peek() == Some(&'-') => quote = Some('\n'),
                    _ => {}
                }
                let parameter = character == '$' && rest.peek().is_some_and(char::is_ascii_digit);
                numbered.push(if parameter { '?' } else { character });
            }
        }
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_numbers() {
        assert_eq!(number_parameters("SELECT $2, $1, $10"), "SELECT ?2, ?1, ?10");
    }

    #[test]
    fn texts_names_and_comments_stay() {
        let sql = "SELECT '$1', \"$1\" -- costs $1\n, $1, '-- $1', 'it''s $1'";
        assert_eq!(number_parameters(sql), "SELECT '$1', \"$1\" -- costs $1\n, ?1, '-- $1', 'it''s $1'");
    }
}
