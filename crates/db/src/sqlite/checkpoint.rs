//! Moves the write-ahead log into the database file, on a thread of its own, so that no commit pays for it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;

use super::explain::explain;
use crate::error::Error;

/// A checkpoint begins when the log has grown by this many pages (16 MB). Rarer ones write a page once that many
/// commits have changed, and cost a start after a crash more time.
const STEP: u32 = 4_000;

/// From here on (64 MB) the writer is made to wait for a moment, so that the log can start anew: without a pause in the
/// writes a checkpoint that disturbs nobody never reaches the log's end.
const LARGE: u32 = 16_000;

/// So little left to move (2 MB) is moved while the writer waits.
const SMALL_REST: i64 = 500;

/// The thread and the signal that wakes it.
pub(super) struct Checkpointer {
    signal: Arc<Signal>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The log's length after the last commit, in pages.
    log: u32,
    /// Its length when the last checkpoint began.
    seen: u32,
    stop: bool,
}

impl State {
    fn is_due(&self) -> bool {
        self.log >= self.seen.saturating_add(STEP)
    }
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Three numbers, each written whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpointer {
    /// Starts it over a connection of its own.
    pub(super) fn start(connection: Connection, watch: vital::Watch) -> io::Result<Checkpointer> {
        let signal = Arc::new(Signal::default());
        let received = Arc::clone(&signal);
        let thread = thread::Builder::new().name("db-checkpoint".to_owned()).spawn(move || {
            let _watch = watch;
            run(&connection, &received);
        })?;
        Ok(Checkpointer { signal, thread })
    }

    /// After a commit: the log is so many pages long.
    pub(super) fn log_is(&self, pages: u32) {
        let mut state = self.signal.lock();
        if pages < state.log {
            // The log has started anew.
            state.seen = 0;
        }
        state.log = pages;
        if state.is_due() {
            self.signal.changed.notify_one();
        }
    }

    /// Ends it, and waits until its connection is closed.
    pub(super) fn stop(self) {
        self.signal.lock().stop = true;
        self.signal.changed.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread had panicked");
        }
    }
}

fn run(connection: &Connection, signal: &Signal) {
    loop {
        let log = {
            let mut state = signal.lock();
            while !state.is_due() && !state.stop {
                state = signal.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop {
                return;
            }
            state.seen = state.log;
            state.log
        };
        let started = Instant::now();
        match checkpoint(connection, log) {
            Ok(rest) => {
                metrics::histogram!("guild_checkpoint_seconds").record(started.elapsed());
                tracing::debug!(pages = log, rest, took = ?started.elapsed(), "the database's log was checkpointed");
            }
            // A full disk, most likely: the log goes on growing where there is room, the next step tries again.
            Err(error) => tracing::warn!(%error, pages = log, "the database's log could not be checkpointed"),
        }
    }
}

/// One checkpoint; answers how many pages are left in the log.
fn checkpoint(connection: &Connection, log: u32) -> Result<i64, Error> {
    let mut rest = step(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    if log < LARGE {
        return Ok(rest);
    }
    // What came meanwhile is less each time, so the writer's wait is short in the end.
    for _ in 0..3 {
        if rest <= SMALL_REST {
            break;
        }
        rest = step(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    // Not TRUNCATE, which touches the log's header, and to the writer looks like somebody else's write.
    step(connection, "PRAGMA wal_checkpoint(RESTART)")
}

fn step(connection: &Connection, pragma: &str) -> Result<i64, Error> {
    connection.query_row(pragma, [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)).map_err(|error| explain(&error))
}
