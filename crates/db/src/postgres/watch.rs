//! Watches for changes by other programs: a new epoch, and writes of `guild user`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vital::Vital;

use super::pool::{self, Pool};
use super::session::explain;
use crate::error::Error;
use crate::migrations;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(500);

/// How long a look may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Counts the transactions of tools, in their own transaction.
pub(super) const COUNT: &str =
    "INSERT INTO meta (name, value) VALUES ('tool_writes', 1) ON CONFLICT (name) DO UPDATE SET value = meta.value + 1";

const LOOK: &str = "SELECT name, value FROM meta WHERE name IN ('epoch', 'tool_writes')";

/// A task that looks until this is dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Keeps `epoch` current, and notifies `foreign` when a tool has written.
    pub(super) fn start(vital: &Vital, reads: Pool, epoch: Arc<AtomicU64>, foreign: watch::Sender<u64>) -> Watch {
        Watch(tokio::spawn(vital.keep("the watch for what other programs write", watch(reads, epoch, foreign))))
    }

    pub(super) fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

async fn watch(reads: Pool, epoch: Arc<AtomicU64>, foreign: watch::Sender<u64>) {
    let (mut known, mut lost) = (None, false);
    loop {
        let before = epoch.load(Ordering::Relaxed);
        match look(&reads).await {
            Ok((found, writes)) => {
                if std::mem::take(&mut lost) {
                    tracing::info!("the database answers again");
                }
                // Unless this process has begun an epoch itself meanwhile.
                if before != found && epoch.compare_exchange(before, found, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    tracing::info!("another process has begun a new epoch");
                    foreign.send_modify(|count| *count += 1);
                }
                if known.replace(writes).is_some_and(|known| known != writes) {
                    foreign.send_modify(|count| *count += 1);
                }
            }
            Err(error) if !lost => {
                lost = true;
                tracing::warn!(%error, "the database is lost; trying again until it is back");
            }
            Err(_) => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(reads: &Pool) -> Result<(u64, i64), Error> {
    let connection = pool::take(reads).await?;
    match tokio::time::timeout(TIMEOUT, ask(&connection)).await {
        Ok(answer) => answer,
        Err(_) => {
            drop(Object::take(connection));
            Err(Error::Busy("PostgreSQL does not answer".to_owned()))
        }
    }
}

async fn ask(connection: &Object) -> Result<(u64, i64), Error> {
    let statement = connection.prepare_cached(LOOK).await.map_err(|error| explain(&error))?;
    let rows = connection.query(&statement, &[]).await.map_err(|error| explain(&error))?;
    let (mut epoch, mut writes) = (None, 0);
    for row in &rows {
        let (name, value): (String, i64) = (|| Ok((row.try_get(0)?, row.try_get(1)?)))().map_err(|error| explain(&error))?;
        if name == "epoch" { epoch = Some(migrations::epoch_from(value)) } else { writes = value }
    }
    epoch.map(|epoch| (epoch, writes)).ok_or_else(|| Error::Failed("its epoch is gone".to_owned()))
}
