//! One transaction, from its begin to its end: on SQLite nothing in it ever waits, so it runs to its end at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::session::Session;
use crate::error::Error;
use crate::tx::{self, Tx};
use crate::work::{Answer, Work};

/// Work that sees one snapshot and may not write.
pub(super) fn read(tx: &mut Tx, work: Work) -> Result<Answer, Error> {
    let session = session(tx)?;
    // Only in memory is this connection also the writer's.
    let lent = !session.connection.is_readonly("main").unwrap_or(false);
    session.roll_back()?;
    if lent {
        session.run("PRAGMA query_only = 1")?;
    }
    let generation = *session.shared.foreign.borrow();
    let outcome = session.run("BEGIN").and_then(|()| {
        tx.generation = generation;
        run(tx, work)
    });
    let session = self::session(tx)?;
    // Nothing was written: how a snapshot ends makes no difference to its answer.
    let ended = session.roll_back();
    if lent {
        session.run("PRAGMA query_only = 0")?;
    }
    outcome.and_then(|answer| ended.map(|()| answer))
}

/// Work that writes: `Ok` once it is committed and synced, otherwise it is undone.
pub(super) fn write(tx: &mut Tx, work: Work) -> Result<Answer, Error> {
    let started = Instant::now();
    let session = session(tx)?;
    session.roll_back()?;
    session.run("BEGIN IMMEDIATE")?;
    let outcome = session.notice_foreign_writes().and_then(|generation| {
        tx.generation = generation;
        run(tx, work)
    });
    let session = self::session(tx)?;
    let outcome = outcome.and_then(|answer| session.run("COMMIT").map(|()| answer));
    match outcome {
        Ok(answer) => {
            metrics::histogram!("guild_commit_seconds").record(started.elapsed());
            Ok(answer)
        }
        Err(error) => {
            if let Err(rollback) = session.roll_back() {
                // The next transaction tries it again before it begins.
                tracing::error!(error = %rollback, "a failed transaction could not be rolled back");
            }
            Err(error)
        }
    }
}

/// Runs the work inside the open transaction. Its first error is the answer, whatever the work itself answers.
fn run(tx: &mut Tx, work: Work) -> Result<Answer, Error> {
    tx.failed = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut work = work(tx);
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                Err(Error::Failed("a transaction waited for something else than its own statements, so it was undone".to_owned()))
            }
        }
    }))
    .unwrap_or_else(|panic| Err(tx::panicked(panic.as_ref())));
    outcome.and_then(|answer| tx.failed.clone().map_or(Ok(answer), Err))
}

/// The SQLite side of a transaction on one of these threads.
pub(super) fn session(tx: &mut Tx) -> Result<&mut Session, Error> {
    match &mut tx.session {
        tx::Session::Sqlite(session) => Ok(session),
        tx::Session::Postgres(_) => Err(Error::Failed("a PostgreSQL transaction on a SQLite thread".to_owned())),
    }
}
