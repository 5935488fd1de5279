//! A connection that holds an open transaction: statements, values, and the errors they end in.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::{HookError, Object, PoolError, TimeoutType};
use futures_util::future::{join, try_join_all};
use tokio_postgres::Statement;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::error::Error;
use crate::row::{Row, Source};
use crate::value::Value;
use crate::work::EachRow;

/// A server that does not answer in time counts as lost.
fn silent(timeout: Duration) -> Error {
    Error::Busy(format!("PostgreSQL did not answer within {} s", timeout.as_secs()))
}

/// A connection with a transaction. If it is dropped before the transaction's end, the connection is closed, and the server undoes the
/// transaction.
pub(crate) struct Session {
    connection: Option<Object>,
    /// The statement that begins the transaction, until it was sent.
    begin: Option<&'static str>,
    /// Whether the transaction only reads.
    reading: bool,
    timeout: Option<Duration>,
    /// Whether the server did not answer in time.
    silent: AtomicBool,
    counted: Arc<Counted>,
}

/// Counts of what services have run on a database, in all of its sessions.
#[derive(Default)]
pub(crate) struct Counted {
    /// Statements, each of a list counted.
    pub(crate) statements: AtomicU64,
    /// Round trips, in transactions that read and in those that write. Statements that go out together count as one.
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
}

impl Session {
    /// A transaction that begins, by this statement, with its first own statement.
    pub(super) fn new(connection: Object, begin: &'static str, reading: bool, timeout: Option<Duration>, counted: Arc<Counted>) -> Session {
        Session { connection: Some(connection), begin: Some(begin), reading, timeout, silent: AtomicBool::new(false), counted }
    }

    /// Commits, and gives the connection back if that went well.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        if self.begin.is_none() && self.reading {
            // The caller need not wait for the end of a read. The connection returns to the pool after it.
            tokio::spawn(self.end("COMMIT"));
            return Ok(());
        }
        if self.begin.is_some() {
            self.connection.take();
            return Ok(());
        }
        self.end("COMMIT").await
    }

    /// Undoes everything, and gives the connection back if that went well.
    pub(super) async fn roll_back(mut self) -> Result<(), Error> {
        if self.silent.load(Ordering::Relaxed) {
            // It would not answer this either; the server undoes it when the connection ends.
            return Ok(());
        }
        if self.begin.is_some() {
            self.connection.take();
            return Ok(());
        }
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), Error> {
        self.within(self.connection()?.batch_execute(statement)).await?;
        self.connection.take();
        Ok(())
    }

    /// Runs a statement and gives up to `limit` rows of its answer to `each`.
    pub(crate) async fn rows(&mut self, sql: &'static str, values: &[Value], limit: usize, each: &mut EachRow<'_>) -> Result<(), Error> {
        let statement = self.prepared(sql).await?;
        let values = parameters(statement.params().len(), values)?;
        self.count(1);
        let begin = self.begun().await?;
        let rows = self.within(first(begin, self.connection()?, self.connection()?.query(&statement, &values))).await?;
        rows.iter().take(limit).try_for_each(|row| each(&Row(Source::Postgres(row))))
    }

    /// Runs a statement that answers no rows; how many it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        let values = parameters(statement.params().len(), values)?;
        self.count(1);
        let begin = self.begun().await?;
        self.within(first(begin, self.connection()?, self.connection()?.execute(&statement, &values))).await
    }

    /// Runs a statement for each of these, all of them on the way at once; the rows of each answer.
    pub(crate) async fn query_each(&mut self, sql: &'static str, each: &[Vec<Value>]) -> Result<Vec<Vec<tokio_postgres::Row>>, Error> {
        if each.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.prepared(sql).await?;
        let each = each.iter().map(|values| parameters(statement.params().len(), values)).collect::<Result<Vec<_>, _>>()?;
        self.count(each.len());
        let begin = self.begun().await?;
        let connection = self.connection()?;
        let all = try_join_all(each.iter().map(|values| connection.query(&statement, values)));
        self.within(first(begin, connection, all)).await
    }

    /// Runs a statement that answers no rows for each of these, all of them on the way at once.
    pub(crate) async fn execute_each(&mut self, sql: &'static str, each: &[Vec<Value>]) -> Result<Vec<u64>, Error> {
        if each.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.prepared(sql).await?;
        let each = each.iter().map(|values| parameters(statement.params().len(), values)).collect::<Result<Vec<_>, _>>()?;
        self.count(each.len());
        let begin = self.begun().await?;
        let connection = self.connection()?;
        let all = try_join_all(each.iter().map(|values| connection.execute(&statement, values)));
        self.within(first(begin, connection, all)).await
    }

    /// Waits for the lock of this number; with the begin in one message where the transaction begins by it.
    pub(crate) async fn lock(&mut self, number: i64) -> Result<(), Error> {
        self.count(0);
        let begin = self.begin.take().map(|begin| format!("{begin}; ")).unwrap_or_default();
        self.within(self.connection()?.batch_execute(&format!("{begin}SELECT pg_advisory_xact_lock({number})"))).await
    }

    /// Counts a way there and back with so many statements.
    fn count(&self, statements: usize) {
        self.counted.statements.fetch_add(statements as u64, Ordering::Relaxed);
        let trips = if self.reading { &self.counted.reads } else { &self.counted.writes };
        trips.fetch_add(1, Ordering::Relaxed);
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        // Once a connection: it is remembered.
        self.within(self.connection()?.prepare_cached(sql)).await
    }

    /// The begin that is to go out together with the first statement. Where something is written, it is waited for: a statement behind a
    /// begin that failed would be a transaction of its own.
    async fn begun(&mut self) -> Result<Option<&'static str>, Error> {
        let begin = self.begin.take();
        match begin {
            Some(begin) if !self.reading => self.within(self.connection()?.batch_execute(begin)).await.map(|()| None),
            begin => Ok(begin),
        }
    }

    /// Waits for the server, but not for ever.
    async fn within<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
        let done = match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, work).await.map_err(|_| {
                self.silent.store(true, Ordering::Relaxed);
                silent(timeout)
            })?,
            None => work.await,
        };
        done.map_err(|error| explain(&error))
    }

    fn connection(&self) -> Result<&Object, Error> {
        self.connection.as_ref().ok_or_else(|| Error::Failed("the transaction has ended".to_owned()))
    }
}

/// The work's answer. If the transaction has not begun yet, its begin goes out just before the work.
async fn first<T>(
    begin: Option<&'static str>,
    connection: &Object,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    let Some(begin) = begin else { return work.await };
    // Polled in this order, and a statement is sent when it is first polled.
    let (begun, answer) = join(connection.batch_execute(begin), work).await;
    begun.and(answer)
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // If the network was lost, the idle connections are mostly lost too. New ones take less time than to find that out.
            if let (true, Some(pool)) = (self.silent.load(Ordering::Relaxed), Object::pool(&connection)) {
                pool.retain(|_, _| false);
            }
            // Removed from the pool, so that no other caller goes on in this transaction.
            drop(Object::take(connection));
        }
    }
}

fn parameters(wanted: usize, values: &[Value]) -> Result<Vec<&(dyn ToSql + Sync)>, Error> {
    if wanted != values.len() {
        return Err(Error::Failed(format!("{wanted} values are wanted, {} were given", values.len())));
    }
    Ok(values.iter().map(|value| value as &(dyn ToSql + Sync)).collect())
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let own = match self {
            Value::Int(_) | Value::NullInt => Type::INT8,
            Value::Text(_) | Value::NullText => Type::TEXT,
            Value::Bytes(_) | Value::NullBytes => Type::BYTEA,
        };
        if own != *ty {
            return Err(format!("a {own} was given where the statement has a {ty}").into());
        }
        match self {
            Value::Int(value) => value.to_sql(ty, out),
            Value::Text(text) if text.as_bytes().contains(&0) => Err("a text with a NUL character".into()),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
            Value::NullInt | Value::NullText | Value::NullBytes => Ok(IsNull::Yes),
        }
    }

    fn accepts(ty: &Type) -> bool {
        // The three types that columns have.
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

/// Why there is no connection, in words.
pub(super) fn unavailable(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => describe(error),
        PoolError::PostCreateHook(HookError::Message(cause)) => cause.to_string(),
        PoolError::Timeout(TimeoutType::Create) => "it cannot be reached: no answer in 5 s".to_owned(),
        PoolError::Timeout(_) => "no connection became free in time".to_owned(),
        PoolError::Closed => "it is closed".to_owned(),
        other => other.to_string(),
    }
}

/// An error of PostgreSQL in words, with what to do if that is known.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    let (Error::Busy(cause) | Error::Conflict(cause) | Error::Failed(cause)) = explain(error);
    let code = error.code().cloned();
    match code {
        Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            format!("{cause}: check the user and the password in database.url, and the server's pg_hba.conf")
        }
        Some(SqlState::INVALID_CATALOG_NAME) => format!("{cause}: make it with CREATE DATABASE, or check database.url"),
        Some(SqlState::TOO_MANY_CONNECTIONS) => format!("{cause}: raise max_connections, an instance takes 16"),
        _ => cause,
    }
}

/// An error of PostgreSQL as this crate's error.
pub(super) fn explain(error: &tokio_postgres::Error) -> Error {
    if let Some(error) = error.as_db_error() {
        return explain_answer(error);
    }
    let cause = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    if error.is_closed() || error.source().is_some_and(|source| source.is::<io::Error>()) {
        return Error::Busy(cause);
    }
    Error::Failed(cause)
}

fn explain_answer(error: &DbError) -> Error {
    let code = error.code();
    if *code == SqlState::UNIQUE_VIOLATION {
        return Error::Conflict(unique_columns(error));
    }
    let again = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        // The server has given up on a transaction that said nothing for long.
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    // Whole classes: connection, insufficient resources (a full disk), operator intervention (a shutdown).
    let class = code.code().get(..2).unwrap_or_default();
    let cause = format!("{} (PostgreSQL's code {})", error.message(), code.code());
    if again.contains(code) || matches!(class, "08" | "53" | "57") { Error::Busy(cause) } else { Error::Failed(cause) }
}

/// `table.column, table.column`, as SQLite tells it, out of `Key (column, column)=(1, 2) already exists.` in whatever
/// language; the values are left out.
fn unique_columns(error: &DbError) -> String {
    let table = error.table().unwrap_or_default();
    let columns =
        error.detail().and_then(|detail| detail.split_once(")=(")).and_then(|(key, _)| key.split_once('(')).map(|(_, columns)| columns);
    match columns {
        Some(columns) => columns.split(", ").map(|column| format!("{table}.{column}")).collect::<Vec<_>>().join(", "),
        None => error.constraint().unwrap_or(table).to_owned(),
    }
}
