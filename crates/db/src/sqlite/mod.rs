//! The embedded engine: one writer thread, a few reader threads, fewer for slow reads, and one that checkpoints.

mod check;
mod checkpoint;
mod connect;
mod explain;
mod job;
mod lock;
mod migrate;
mod queue;
mod reader;
pub(crate) mod session;
mod shared;
mod transact;
mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use vital::Vital;

use crate::access::Access;
use crate::error::{Error, OpenError};
use crate::migrations::{self, Migrations};
use crate::slow::{SLOW_WAIT, slow_lanes_full};
use crate::tx::Tx;
use crate::work::{Answer, Work};

use checkpoint::Checkpointer;
use job::closed;
use lock::ServerLock;
use queue::Queue;
use shared::Shared;

/// How many threads read: as many as there are cores, but from 2 to 4. Two already served 86,000 pages a second.
fn reader_count() -> usize {
    thread::available_parallelism().map_or(2, usize::from).clamp(2, 4)
}

/// How many threads run slow reads: half of the cores, so that the others are left for what is quick; from 1 to 4.
fn slow_lanes() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, 4)
}

/// An open SQLite database.
pub(crate) struct Sqlite {
    /// Absent when the database was opened to be read only.
    writer: Option<Arc<Queue>>,
    /// Absent in memory: there the writer has the only connection, and serves reads between its transactions.
    readers: Option<Arc<Queue>>,
    /// The queue of slow reads, which have threads of their own; absent in memory.
    slow: Option<Arc<Queue>>,
    shared: Arc<Shared>,
    reading: Mutex<Vec<JoinHandle<()>>>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    /// Checks a file and opens it; blocks on the disk.
    pub(crate) fn open_file(file: &Path, services: &[Migrations], access: Access) -> Result<Sqlite, OpenError> {
        let file = check::resolve(file, access)?;
        let state = check::header(&file)?;
        if access == Access::ReadOnly && state == check::State::Absent {
            return Err(OpenError::Missing { file });
        }
        let lock = if matches!(access, Access::Server | Access::Alone) { Some(ServerLock::take(&file)?) } else { None };
        let wanted = migrations::all(services);
        if state == check::State::Ours {
            let taken = check::steps(&file)?;
            migrations::refuse_newer(&file.display().to_string(), &taken, &wanted)?;
            migrations::refuse_incomplete(&file.display().to_string(), &taken, access)?;
            if access == Access::ReadOnly {
                migrations::refuse_older(&file.display().to_string(), &taken, &wanted)?;
            }
        }
        if access == Access::ReadOnly {
            let connection = connect::reader(&file)?;
            let epoch = migrate::read_epoch(&connection).map_err(|error| connect::refused(&file, &error))?;
            return Sqlite::start(&file, None, Shared::new(epoch), None, None);
        }
        let connection = connect::writer(&file)?;
        migrate::run(&connection, &wanted)?;
        let epoch = migrate::epoch(&connection).map_err(|cause| connect::refused_text(&file, cause))?;
        let shared = Shared::new(epoch);
        let watch = shared.vital.watch("the checkpoints of the database");
        let checkpointer = Checkpointer::start(connect::checkpointer(&file)?, watch).map_err(|e| no_thread(&file, &e))?;
        Sqlite::start(&file, Some(connection), shared, Some(checkpointer), lock)
    }

    /// Opens an empty database in memory.
    pub(crate) fn open_memory(services: &[Migrations]) -> Result<Sqlite, OpenError> {
        let place = Path::new(":memory:");
        let connection = connect::memory()?;
        migrate::run(&connection, &migrations::all(services))?;
        let epoch = migrate::epoch(&connection).map_err(|cause| connect::refused_text(place, cause))?;
        let shared = Shared::new(epoch);
        let queue = Arc::new(Queue::new("guild_writer_queue"));
        let thread =
            writer::start(connection, Arc::clone(&queue), Arc::clone(&shared), None, None).map_err(|error| no_thread(place, &error))?;
        Ok(Sqlite { writer: Some(queue), readers: None, slow: None, shared, reading: Mutex::default(), writing: Mutex::new(Some(thread)) })
    }

    fn start(
        file: &Path,
        connection: Option<rusqlite::Connection>,
        shared: Arc<Shared>,
        checkpointer: Option<Checkpointer>,
        lock: Option<ServerLock>,
    ) -> Result<Sqlite, OpenError> {
        let readers = Arc::new(Queue::new("guild_reader_queue"));
        let slow = Arc::new(Queue::new("guild_slow_reader_queue"));
        let mut sqlite = Sqlite {
            writer: None,
            readers: Some(Arc::clone(&readers)),
            slow: Some(Arc::clone(&slow)),
            shared: Arc::clone(&shared),
            reading: Mutex::default(),
            writing: Mutex::default(),
        };
        let quick = (0..reader_count()).map(|number| (format!("db-reader-{number}"), &readers));
        let slowly = (0..slow_lanes()).map(|number| (format!("db-slow-{number}"), &slow));
        for (name, queue) in quick.chain(slowly) {
            let thread = reader::start(name, connect::reader(file)?, Arc::clone(queue), Arc::clone(&shared))
                .map_err(|error| no_thread(file, &error))?;
            if let Ok(mut reading) = sqlite.reading.lock() {
                reading.push(thread);
            }
        }
        if let Some(connection) = connection {
            let queue = Arc::new(Queue::new("guild_writer_queue"));
            let thread =
                writer::start(connection, Arc::clone(&queue), shared, checkpointer, lock).map_err(|error| no_thread(file, &error))?;
            sqlite.writer = Some(queue);
            sqlite.writing = Mutex::new(Some(thread));
        }
        Ok(sqlite)
    }

    /// A snapshot on one of the readers.
    pub(crate) async fn read(&self, work: Work) -> Result<Answer, Error> {
        let queue = self.readers.as_ref().or(self.writer.as_ref()).ok_or_else(closed)?;
        read_from(queue, work, |_| Ok(())).await
    }

    /// A snapshot on one of the few threads for slow reads.
    pub(crate) async fn read_slowly(&self, work: Work) -> Result<Answer, Error> {
        let Some(queue) = &self.slow else { return self.read(work).await };
        let in_time = |waited| if waited < SLOW_WAIT { Ok(()) } else { Err(slow_lanes_full()) };
        read_from(queue, work, in_time).await
    }

    /// A transaction on the writer. It is carried out even if the caller stops waiting.
    pub(crate) async fn write(&self, work: Work) -> Result<Answer, Error> {
        let queue = self.writer.as_ref().ok_or_else(Error::read_only)?;
        let (answer, wait) = oneshot::channel();
        queue.push(Box::new(move |tx: &mut Tx| {
            let _ = answer.send(transact::write(tx, work));
        }))?;
        wait.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) fn vital(&self) -> Vital {
        self.shared.vital.clone()
    }

    pub(crate) fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::Relaxed)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.shared.epoch.store(epoch, Ordering::Relaxed);
    }

    pub(crate) fn foreign_writes(&self) -> watch::Receiver<u64> {
        self.shared.foreign.subscribe()
    }

    /// Takes no more work, lets the threads finish what waits, checkpoints, and releases the lock.
    pub(crate) async fn close(&self) {
        let _ = tokio::task::spawn_blocking(self.ending()).await;
    }

    /// A function that ends the threads, the writer last: only the last connection to a file moves the rest of the log into it, and only if it
    /// may write.
    fn ending(&self) -> impl FnOnce() + Send + 'static {
        let queues = (self.readers.clone(), self.slow.clone(), self.writer.clone());
        let reading = self.reading.lock().map(|mut threads| std::mem::take(&mut *threads)).unwrap_or_default();
        let writing = self.writing.lock().map(|mut thread| thread.take()).unwrap_or_default();
        move || {
            let (readers, slow, writer) = queues;
            if let Some(slow) = slow {
                slow.close();
            }
            for (queue, threads) in [(readers, reading), (writer, Vec::from_iter(writing))] {
                if let Some(queue) = queue {
                    queue.close();
                }
                for thread in threads {
                    // The last handle may have been dropped on one of these threads, inside a job. A panic was logged before.
                    if thread.thread().id() != thread::current().id() {
                        let _ = thread.join();
                    }
                }
            }
        }
    }
}

impl Drop for Sqlite {
    /// The last handle was dropped without a close: ends the threads and waits for them here.
    fn drop(&mut self) {
        self.ending()();
    }
}

/// Queues a read and waits for its answer. `in_time` says whether it may still run after it has waited so long.
async fn read_from(queue: &Queue, work: Work, in_time: fn(Duration) -> Result<(), Error>) -> Result<Answer, Error> {
    let (answer, wait) = oneshot::channel();
    let asked = Instant::now();
    queue.push(Box::new(move |tx: &mut Tx| {
        // Skip it if the caller has gone: a read has no effect but its answer.
        if !answer.is_closed() {
            let _ = answer.send(in_time(asked.elapsed()).and_then(|()| transact::read(tx, work)));
        }
    }))?;
    wait.await.unwrap_or_else(|_| Err(closed()))
}

fn no_thread(file: &Path, error: &std::io::Error) -> OpenError {
    connect::refused_text(file, format!("no thread could be started: {error}"))
}
