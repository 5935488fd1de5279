//! A connection that holds an open transaction: statements, values, and the errors they end in.

use std::error::Error as _;
use std::io;

use bytes::BytesMut;
use deadpool_postgres::{Object, PoolError};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::error::Error;
use crate::row::{Row, Source};
use crate::value::Value;

/// If it is dropped before the transaction's end, its connection is closed, and the server undoes what was not committed.
pub(crate) struct Session {
    connection: Option<Object>,
}

impl Session {
    /// Begins a transaction by this statement.
    pub(super) async fn begin(connection: Object, statement: &str) -> Result<Session, Error> {
        let session = Session { connection: Some(connection) };
        session.connection()?.batch_execute(statement).await.map_err(|error| explain(&error))?;
        Ok(session)
    }

    /// Ends the transaction by this statement, and gives the connection back if that went well.
    pub(super) async fn end(mut self, statement: &str) -> Result<(), Error> {
        self.connection()?.batch_execute(statement).await.map_err(|error| explain(&error))?;
        self.connection.take();
        Ok(())
    }

    /// Runs a statement and maps up to `limit` rows of its answer.
    pub(crate) async fn rows<T>(
        &mut self,
        sql: &'static str,
        values: &[Value],
        limit: usize,
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Vec<T>, Error> {
        let connection = self.connection()?;
        let statement = connection.prepare_cached(sql).await.map_err(|error| explain(&error))?;
        let values = parameters(statement.params().len(), values)?;
        let rows = connection.query(&statement, &values).await.map_err(|error| explain(&error))?;
        rows.iter().take(limit).map(|row| map(&Row(Source::Postgres(row)))).collect()
    }

    /// Runs a statement that answers no rows; how many it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, Error> {
        let connection = self.connection()?;
        let statement = connection.prepare_cached(sql).await.map_err(|error| explain(&error))?;
        let values = parameters(statement.params().len(), values)?;
        connection.execute(&statement, &values).await.map_err(|error| explain(&error))
    }

    fn connection(&self) -> Result<&Object, Error> {
        self.connection.as_ref().ok_or_else(|| Error::Failed("the transaction has ended".to_owned()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Out of the pool, so that nobody goes on in this transaction.
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

/// Why there is no connection to be had.
pub(super) fn unavailable(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => match explain(error) {
            Error::Busy(cause) | Error::Conflict(cause) | Error::Failed(cause) => cause,
        },
        PoolError::Timeout(_) => "no connection became free in time".to_owned(),
        PoolError::Closed => "it is closed".to_owned(),
        other => other.to_string(),
    }
}

/// What an error of PostgreSQL's means to a service.
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
    let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
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
