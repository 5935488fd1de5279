//! An open transaction: the only way to run a statement.

use std::any::Any;

use futures_util::future::BoxFuture;

use crate::error::Error;
use crate::postgres::session::Session as PostgresSession;
use crate::row::{Row, Source};
use crate::sqlite::session::Session as SqliteSession;
use crate::value::Value;
use crate::work::EachRow;

/// An open transaction, lent to the work that [`Db::read`](crate::Db::read) or [`Db::write`](crate::Db::write) was
/// given.
///
/// After the first error it can only fail: every later statement and the commit answer that error (see the crate's
/// page for why). Inside it, wait for nothing but its own statements: on SQLite everybody else's writes wait for it.
pub struct Tx {
    pub(crate) session: Session,
    pub(crate) generation: u64,
    pub(crate) failed: Option<Error>,
}

/// The engine's connection, with a transaction open on it.
pub(crate) enum Session {
    Sqlite(SqliteSession),
    Postgres(PostgresSession),
}

impl Tx {
    /// A transaction over this connection.
    pub(crate) fn new(session: Session) -> Tx {
        Tx { session, generation: 0, failed: None }
    }

    /// Runs a statement and maps every row of its answer, in order. A statement that writes is complete even if
    /// `map` fails; the transaction then fails.
    pub async fn rows<T>(
        &mut self,
        sql: &'static str,
        values: &[Value],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Vec<T>, Error>
    where
        T: Send,
    {
        let mut answer = Vec::new();
        let mut push = |row: &Row<'_>| {
            answer.push(map(row)?);
            Ok(())
        };
        self.some_rows(sql, values, usize::MAX, &mut push).await?;
        Ok(answer)
    }

    /// Runs a statement and maps the first row of its answer; `None` if it has none.
    pub async fn row<T>(
        &mut self,
        sql: &'static str,
        values: &[Value],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Option<T>, Error>
    where
        T: Send,
    {
        let mut answer = None;
        let mut take = |row: &Row<'_>| {
            answer = Some(map(row)?);
            Ok(())
        };
        self.some_rows(sql, values, 1, &mut take).await?;
        Ok(answer)
    }

    /// Runs a statement and gives up to `limit` rows of its answer to `each`.
    fn some_rows<'a>(
        &'a mut self,
        sql: &'static str,
        values: &'a [Value],
        limit: usize,
        each: &'a mut EachRow<'_>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.check()?;
            let outcome = match &mut self.session {
                Session::Sqlite(session) => session.rows(sql, values, limit, each),
                Session::Postgres(session) => session.rows(sql, values, limit, each).await,
            };
            self.note(sql, outcome)
        })
    }

    /// Runs a statement that answers no rows; how many it changed.
    pub fn execute<'a>(&'a mut self, sql: &'static str, values: &'a [Value]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            self.check()?;
            let outcome = match &mut self.session {
                Session::Sqlite(session) => session.execute(sql, values),
                Session::Postgres(session) => session.execute(sql, values).await,
            };
            self.note(sql, outcome)
        })
    }

    /// Runs a statement once for each of these lists of values, in order, and maps the first row of each answer. On PostgreSQL they go out
    /// together, so that all of them cost the time of one.
    pub async fn row_each<T>(
        &mut self,
        sql: &'static str,
        each: &[Vec<Value>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Vec<Option<T>>, Error>
    where
        T: Send,
    {
        let mut answers = Vec::with_capacity(each.len());
        answers.resize_with(each.len(), || None);
        self.some_rows_each(sql, each, 1, &mut |which, row| {
            if let Some(answer) = answers.get_mut(which) {
                *answer = Some(map(row)?);
            }
            Ok(())
        })
        .await?;
        Ok(answers)
    }

    /// The same with all rows of each answer.
    pub async fn rows_each<T>(
        &mut self,
        sql: &'static str,
        each: &[Vec<Value>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error> + Send,
    ) -> Result<Vec<Vec<T>>, Error>
    where
        T: Send,
    {
        let mut answers = Vec::with_capacity(each.len());
        answers.resize_with(each.len(), Vec::new);
        self.some_rows_each(sql, each, usize::MAX, &mut |which, row| {
            if let Some(answer) = answers.get_mut(which) {
                answer.push(map(row)?);
            }
            Ok(())
        })
        .await?;
        Ok(answers)
    }

    /// Runs a statement once for each of these lists of values, and gives up to `limit` rows of each answer, with the list's place, to `each_row`.
    fn some_rows_each<'a>(
        &'a mut self,
        sql: &'static str,
        each: &'a [Vec<Value>],
        limit: usize,
        each_row: &'a mut (dyn FnMut(usize, &Row<'_>) -> Result<(), Error> + Send),
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.check()?;
            let outcome = match &mut self.session {
                Session::Sqlite(session) => session.rows_each(sql, each, limit, each_row),
                Session::Postgres(session) => session.query_each(sql, each).await.and_then(|answers| {
                    let mut rows =
                        answers.iter().enumerate().flat_map(|(which, rows)| rows.iter().take(limit).map(move |row| (which, row)));
                    rows.try_for_each(|(which, row)| each_row(which, &Row(Source::Postgres(row))))
                }),
            };
            self.note(sql, outcome)
        })
    }

    /// Runs a statement that answers no rows once for each of these lists of values, in order; how many rows each changed. On PostgreSQL
    /// they go out together.
    pub fn execute_each<'a>(&'a mut self, sql: &'static str, each: &'a [Vec<Value>]) -> BoxFuture<'a, Result<Vec<u64>, Error>> {
        Box::pin(async move {
            self.check()?;
            let outcome = match &mut self.session {
                Session::Sqlite(session) => session.execute_each(sql, each),
                Session::Postgres(session) => session.execute_each(sql, each).await,
            };
            self.note(sql, outcome)
        })
    }

    /// Waits for the lock of this number and holds it until the transaction's end. So transactions with the same lock run one after the other,
    /// on all servers, and each sees what the one before has committed. On SQLite it does nothing: there all writes run so.
    pub fn lock(&mut self, number: i64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.check()?;
            let outcome = match &mut self.session {
                Session::Sqlite(_) => Ok(()),
                Session::Postgres(session) => session.lock(number).await,
            };
            self.note("waiting for a lock", outcome)
        })
    }

    /// Whether other servers may write to this database too. Then a cache of an earlier transaction must be checked first.
    pub fn is_shared(&self) -> bool {
        matches!(self.session, Session::Postgres(_))
    }

    /// Grows when another process may have written. A service's cache of the database is valid only while this stays the same.
    ///
    /// On SQLite it grows with another process's commit, and rarely without one, such as after a checkpoint that had to restart the log. On
    /// PostgreSQL it is new in every transaction. In a transaction of [`Db::read`](crate::Db::read) it is the last known one and may lag.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn check(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn note<T>(&mut self, sql: &str, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome.map_err(|error| {
            let error = error.in_statement(sql);
            self.failed = Some(error.clone());
            error
        })
    }
}

/// A panic inside a transaction as an error, on both engines.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let said =
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::Failed(format!("a panic inside a transaction, which was undone: {said}"))
}
