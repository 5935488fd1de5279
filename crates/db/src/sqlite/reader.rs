//! A thread that reads: one snapshot after the other.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::job;
use super::queue::{Queue, Taken};
use super::session::Session;
use super::shared::Shared;
use crate::tx::{self, Tx};

/// Starts it; it ends once the queue is closed and empty.
pub(super) fn start(name: String, connection: Connection, queue: Arc<Queue>, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let watch = shared.vital.watch("a reader of the database");
    thread::Builder::new().name(name).spawn(move || {
        let _watch = watch;
        let mut tx = Tx::new(tx::Session::Sqlite(Session::new(connection, shared)));
        loop {
            match queue.take(None) {
                Taken::Job(job) => job::run(job, &mut tx),
                Taken::Idle => {}
                Taken::Closed => return,
            }
        }
    })
}
