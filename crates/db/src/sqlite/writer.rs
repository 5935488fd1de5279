//! The thread that writes, one transaction after the other, so that no other thread here ever waits for a lock.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use super::checkpoint::Checkpointer;
use super::job;
use super::lock::ServerLock;
use super::queue::{Queue, Taken};
use super::session::Session;
use super::shared::Shared;
use super::transact;
use crate::tx::{self, Tx};

/// How soon another process's write is noticed while the queue is empty. (Every transaction looks too.)
const POLL: Duration = Duration::from_millis(500);

thread_local! {
    /// How long the write-ahead log was after this thread's last commit, in pages; 0 if nothing was committed since.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// Starts it. It ends once the queue is closed and empty, by ending the checkpointer, closing the file and releasing
/// the lock, in this order.
pub(super) fn start(
    connection: Connection,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    checkpointer: Option<Checkpointer>,
    lock: Option<ServerLock>,
) -> io::Result<JoinHandle<()>> {
    let watch = shared.vital.watch("the database's writer");
    thread::Builder::new().name("db-writer".to_owned()).spawn(move || {
        let _watch = watch;
        // Takes the place of SQLite's own checkpoint inside a commit.
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }));
        let mut tx = Tx::new(tx::Session::Sqlite(Session::new(connection, shared)));
        serve(&mut tx, &queue, checkpointer.as_ref());
        if let Some(checkpointer) = checkpointer {
            checkpointer.stop();
        }
        // The last connection to go takes what is left of the log into the file.
        drop(tx);
        drop(lock);
    })
}

fn serve(tx: &mut Tx, queue: &Queue, checkpointer: Option<&Checkpointer>) {
    loop {
        match queue.take(Some(POLL)) {
            Taken::Job(job) => {
                job::run(job, tx);
                let pages = LOG_PAGES.take();
                if pages > 0
                    && let Some(checkpointer) = checkpointer
                {
                    checkpointer.log_is(pages);
                }
            }
            Taken::Idle => {
                if let Err(error) = transact::session(tx).and_then(Session::notice_foreign_writes) {
                    tracing::warn!(%error, "could not look whether another process wrote to the database");
                }
            }
            Taken::Closed => return,
        }
    }
}
