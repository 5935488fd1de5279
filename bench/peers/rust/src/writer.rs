//! Group commit: one thread takes all messages that wait, up to [`BATCH`], writes them in one transaction and hands the whole batch back.
//!
//! Rows are only ever appended, so a batch dirties few pages but those of the index. The checkpoint is not part of a commit:
//! another thread with its own connection copies the log into the database when it has grown past [`WAL_PAGES`].

use std::{
    cell::Cell,
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
        mpsc,
    },
    thread,
    time::SystemTime,
};

use rusqlite::{Connection, params};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use crate::{Message, Send as Sent};

/// Messages in one transaction at most.
const BATCH: usize = 1024;
/// Pages of 4 KiB in the log that make a checkpoint due: 16 MiB.
const WAL_PAGES: i32 = 4096;

/// A message to write. `tag` comes back with it and says whom to acknowledge.
pub struct Job<T> {
    /// What the client sent.
    pub sent: Sent,
    /// The user's name.
    pub sender: Arc<str>,
    /// Comes back in [`Saved`].
    pub tag: T,
}

/// A message that is on disk.
pub struct Saved<T> {
    /// The message as its room hears of it.
    pub message: Message,
    /// The sender's key.
    pub nonce: String,
    /// From [`Job`].
    pub tag: T,
}

/// What became of a batch: its messages in the order of their commit, or the tags of those that were not written.
pub type Outcome<T> = Result<Vec<Saved<T>>, Vec<T>>;

/// Where jobs go in. The thread ends when all of these are dropped, or the receiver of the outcomes is.
pub type Jobs<T> = mpsc::Sender<Job<T>>;

/// Opens the database at `path` and starts the two threads.
pub fn start<T: Send + 'static>(path: &Path) -> rusqlite::Result<(Jobs<T>, UnboundedReceiver<Outcome<T>>)> {
    let db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -65536;
         CREATE TABLE IF NOT EXISTS messages (
           n INTEGER PRIMARY KEY, id TEXT NOT NULL, room TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL,
           nonce TEXT NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE (room, seq));",
    )?;
    let checkpoints = Checkpoints::start(Connection::open(path)?);
    let (jobs, waiting) = mpsc::channel();
    let (outcomes, committed) = unbounded_channel();
    thread::spawn(move || run(db, &waiting, &outcomes, &checkpoints));
    Ok((jobs, committed))
}

fn run<T>(mut db: Connection, waiting: &mpsc::Receiver<Job<T>>, outcomes: &UnboundedSender<Outcome<T>>, checkpoints: &Checkpoints) {
    db.wal_hook(Some(|_, pages| {
        PAGES.set(pages);
        Ok(())
    }));
    // The newest seq of each room that was written to. This thread is the only writer, so it need not ask the database twice.
    let mut heads = HashMap::new();
    while let Ok(first) = waiting.recv() {
        let mut batch = Vec::with_capacity(16);
        batch.push(first);
        batch.extend(waiting.try_iter().take(BATCH - 1));
        let outcome = match save(&mut db, &mut heads, &batch) {
            Ok(keys) => Ok(batch.into_iter().zip(keys.each).map(|(job, key)| saved(job, key, &keys.created_at)).collect()),
            Err(error) => {
                eprintln!("could not write {} messages: {error}", batch.len());
                heads.clear();
                Err(batch.into_iter().map(|job| job.tag).collect())
            }
        };
        if outcomes.send(outcome).is_err() {
            return;
        }
        checkpoints.after_commit(&db);
    }
}

/// What the writer gives to the messages of a batch: the time they share, and an id and a seq for each.
struct Keys {
    created_at: Arc<str>,
    each: Vec<(Uuid, i64)>,
}

/// Writes the batch in one transaction. Where this fails nothing is kept, and `heads` must be forgotten.
fn save<T>(db: &mut Connection, heads: &mut HashMap<String, i64>, batch: &[Job<T>]) -> rusqlite::Result<Keys> {
    let created_at: Arc<str> = humantime::format_rfc3339_millis(SystemTime::now()).to_string().into();
    let mut each = Vec::with_capacity(batch.len());
    let transaction = db.transaction()?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO messages (id, room, seq, sender, nonce, body, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for Job { sent, sender, .. } in batch {
            let head = match heads.get_mut(&sent.room) {
                Some(head) => head,
                None => {
                    let mut newest = transaction.prepare_cached("SELECT coalesce(max(seq), 0) FROM messages WHERE room = ?1")?;
                    heads.entry(sent.room.clone()).or_insert(newest.query_row([&sent.room], |row| row.get(0))?)
                }
            };
            *head += 1;
            let id = Uuid::now_v7();
            let mut text = Uuid::encode_buffer();
            let text = &*id.hyphenated().encode_lower(&mut text);
            insert.execute(params![text, sent.room, *head, sender, sent.nonce, sent.body, created_at])?;
            each.push((id, *head));
        }
    }
    transaction.commit()?;
    Ok(Keys { created_at, each })
}

fn saved<T>(Job { sent, sender, tag }: Job<T>, (id, seq): (Uuid, i64), created_at: &Arc<str>) -> Saved<T> {
    let Sent { room, body, nonce } = sent;
    Saved { message: Message { id, room, seq, sender, body, created_at: created_at.clone() }, nonce, tag }
}

thread_local! {
    /// Pages in the log after this thread's last commit.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

const IDLE: u8 = 0;
const COPYING: u8 = 1;
const COPIED: u8 = 2;

/// The thread that checkpoints, as the writer sees it.
struct Checkpoints {
    state: Arc<AtomicU8>,
    due: mpsc::Sender<()>,
}

impl Checkpoints {
    fn start(db: Connection) -> Self {
        let state = Arc::new(AtomicU8::new(IDLE));
        let (due, requests) = mpsc::channel();
        let copied = state.clone();
        thread::spawn(move || {
            for () in requests {
                // The second round takes what was committed during the first, so that little is left for the writer.
                for _ in 0..2 {
                    checkpoint(&db);
                }
                copied.store(COPIED, Ordering::Release);
            }
        });
        Self { state, due }
    }

    /// Asks for a checkpoint where one is due. Once it is done the writer copies the few pages that came meanwhile by itself: only a
    /// log that was copied to its end is used again from its start, and under a steady load no other thread ever reaches that end.
    fn after_commit(&self, db: &Connection) {
        match self.state.load(Ordering::Acquire) {
            IDLE if PAGES.get() >= WAL_PAGES => {
                self.state.store(COPYING, Ordering::Release);
                // Its thread lives as long as this sender.
                let _ = self.due.send(());
            }
            COPIED => {
                checkpoint(db);
                self.state.store(IDLE, Ordering::Release);
            }
            _ => {}
        }
    }
}

/// Copies what it can without waiting for anybody.
fn checkpoint(db: &Connection) {
    if let Err(error) = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        eprintln!("could not checkpoint: {error}");
    }
}
