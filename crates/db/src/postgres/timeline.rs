//! Notices a promoted standby. It answers under the same address, but with a new timeline, and may lack the last rows that its predecessor had
//! committed. Then old positions mean other rows, or none. So a new timeline begins a new epoch of cursors.
//!
//! The database holds the timeline of its epoch, and a promoted standby holds its predecessor's. Each new connection compares this with the
//! server's own timeline before it is used. A server ends its connections when it is promoted, and is not used before. So every transaction
//! runs on the timeline that its connection has compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::{Mutex, watch};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::session::describe;
use crate::access::Access;
use crate::migrations;

/// One connection at a time begins an epoch, in whichever process. `GILDTIME`.
const TURN: i64 = 0x4749_4c44_5449_4d45;

/// Whether the server takes no writes, and its timeline in hexadecimal digits. The name of the file that the log is written to begins with it.
const LOOK: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";

/// What all connections of a database share.
pub(super) struct Timeline {
    /// The last timeline that was seen; 0 for none.
    known: AtomicI64,
    pub(super) epoch: Arc<AtomicU64>,
    foreign: watch::Sender<u64>,
    turn: Mutex<()>,
}

impl Timeline {
    pub(super) fn new(foreign: watch::Sender<u64>) -> Arc<Self> {
        Arc::new(Self { known: AtomicI64::new(0), epoch: Arc::default(), foreign, turn: Mutex::new(()) })
    }

    /// From here on a new timeline is noticed: the tables are there. `client` is a connection on which nothing is under way.
    pub(super) async fn begin(&self, client: &Client, epoch: u64, access: Access) -> Result<(), String> {
        self.epoch.store(epoch, Ordering::Relaxed);
        if access == Access::ReadOnly {
            return Ok(());
        }
        match look(client).await? {
            Some(timeline) => self.compare(client, timeline).await,
            None => Ok(()),
        }
    }

    /// Looks which server a new connection leads to, and refuses one that is not promoted.
    pub(super) async fn meet(&self, client: &Client) -> Result<(), String> {
        let known = self.known.load(Ordering::Relaxed);
        match look(client).await? {
            None => Err("this PostgreSQL server is a standby: it takes no writes until it is promoted".to_owned()),
            // The tables may not exist yet.
            Some(_) if known == 0 => Ok(()),
            Some(timeline) if timeline == known => Ok(()),
            Some(timeline) => self.compare(client, timeline).await,
        }
    }

    /// Begins a new epoch, unless another connection has done so for this timeline.
    async fn compare(&self, client: &Client, timeline: i64) -> Result<(), String> {
        let _turn = self.turn.lock().await;
        let fresh = migrations::random_epoch()?.cast_signed();
        let noted = migrations::note_timeline(timeline, fresh);
        let sql = format!("BEGIN READ WRITE; SELECT pg_advisory_xact_lock({TURN}); {noted}; COMMIT; {}", migrations::READ_EPOCH);
        let said = match client.simple_query(&sql).await {
            Ok(said) => said,
            Err(error) => {
                // A transaction may be open, so this connection must not be used.
                return Err(describe(&error));
            }
        };
        let epoch: i64 = first(&said).last().and_then(|text| text.parse().ok()).ok_or("its epoch is gone")?;
        let epoch = migrations::epoch_from(epoch);
        self.known.store(timeline, Ordering::Relaxed);
        if self.epoch.swap(epoch, Ordering::Relaxed) != epoch {
            tracing::warn!(
                timeline,
                "another PostgreSQL server answers, which may lack the last of what was written: a new epoch of cursors has begun, and clients fetch anew what they show"
            );
            self.foreign.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}

/// The server's timeline; `None` while it is a standby. A managed server may not report it; then it counts as the first, and a loss is noticed
/// only where the log has become shorter.
async fn look(client: &Client) -> Result<Option<i64>, String> {
    let said = match client.simple_query(LOOK).await {
        Ok(said) => said,
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) || error.code() == Some(&SqlState::UNDEFINED_FUNCTION) => {
            tracing::debug!(%error, "the server does not tell its timeline");
            return Ok(Some(1));
        }
        Err(error) => return Err(describe(&error)),
    };
    first(&said).last().map(|digits| i64::from_str_radix(digits, 16).map_err(|_| format!("its timeline is {digits:?}"))).transpose()
}

/// The first column of every row that has something in it.
fn first(said: &[SimpleQueryMessage]) -> impl DoubleEndedIterator<Item = &str> {
    said.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).filter(|text| !text.is_empty()),
        _ => None,
    })
}
