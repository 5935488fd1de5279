//! Which kinds of rows may be written to a log that several programs read.
//!
//! Every kind of row has the log version since which it is known. A program writes a kind only when the database's **minimal version** allows
//! it: the number that `guild upgrade finish` raises once the last old process has gone. So a cluster can be upgraded one process at a time.
//! A forgotten old process goes on reading: it passes rows that it does not know ([`crate::store::log::Kind::Unknown`]). But a program older
//! than the minimal version cannot start.

use crate::store::{log, rooms};
use db::{Db, Error, Tx, numbers};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The log version of this program: it knows every kind up to this one.
pub const LOG_VERSION: i64 = 3;

/// The minimal version of a database without a noted one: that of the first program.
const FIRST: i64 = 1;

const NAME: &str = "log_min_version";

/// How soon a running process notices that the minimal version was raised.
const EVERY: Duration = Duration::from_secs(5);

/// Why a program may not serve a database.
#[derive(Debug)]
pub enum CannotServe {
    /// The program is too old for this minimal version.
    TooOld(i64),
    /// The database failed.
    Database(Error),
}

impl fmt::Display for CannotServe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(min_version) => write!(
                f,
                "this database needs log version {min_version}, and this program knows only {LOG_VERSION}: run the newer version of guild"
            ),
            Self::Database(error) => write!(f, "the log's version cannot be read: {error}"),
        }
    }
}

impl std::error::Error for CannotServe {}

/// The database's minimal version, as it was last read.
#[derive(Clone, Debug)]
pub(crate) struct MinVersion(Arc<AtomicI64>);

impl Default for MinVersion {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(FIRST)))
    }
}

impl MinVersion {
    /// One that allows kinds up to this version.
    #[cfg(test)]
    pub(crate) fn of(version: i64) -> Self {
        Self(Arc::new(AtomicI64::new(version)))
    }

    /// Changes it.
    #[cfg(test)]
    pub(crate) fn set(&self, version: i64) {
        self.0.store(version, Ordering::Relaxed);
    }

    /// The version that was last read. The true one is never lower.
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Reads it before the service starts. A new database begins with the version of the program that makes it.
    pub(crate) async fn start(&self, db: &Db) -> Result<(), CannotServe> {
        let min_version = db.write(|tx| Box::pin(first(tx))).await.map_err(CannotServe::Database)?;
        if min_version > LOG_VERSION {
            return Err(CannotServe::TooOld(min_version));
        }
        self.0.store(min_version, Ordering::Relaxed);
        Ok(())
    }

    /// Reads it again and again, for as long as it is polled.
    pub(crate) async fn keep_reading(self, db: Db) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            match db.read(|tx| Box::pin(read(tx))).await {
                Ok(now) if now != self.get() => {
                    tracing::info!(min_version = now, "the log's minimal version was raised");
                    self.0.store(now, Ordering::Relaxed);
                }
                Ok(_) => {}
                // Keeps the last version, which is never too high.
                Err(error) => tracing::debug!(%error, "the log's minimal version could not be read"),
            }
        }
    }
}

async fn read(tx: &mut Tx) -> Result<i64, Error> {
    Ok(numbers::number(tx, NAME).await?.unwrap_or(FIRST))
}

async fn first(tx: &mut Tx) -> Result<i64, Error> {
    if numbers::number(tx, NAME).await?.is_none() {
        let version = if log::is_empty(tx).await? { LOG_VERSION } else { FIRST };
        numbers::raise(tx, NAME, version).await?;
    }
    read(tx).await
}

/// Raises the minimal version to this program's: `guild upgrade finish`. Answers what it was and what it is. It is never lowered.
///
/// # Errors
/// The database's.
pub async fn finish_upgrade(db: &Db) -> Result<(i64, i64), Error> {
    db.write(|tx| {
        Box::pin(async move {
            let before = read(tx).await?;
            if before < LOG_VERSION {
                rooms::note_revs(tx).await?;
            }
            numbers::raise(tx, NAME, LOG_VERSION).await?;
            Ok((before, read(tx).await?))
        })
    })
    .await
}

/// Gives a copy the minimal version of its source.
pub(crate) async fn copy(from: &Db, to: &Db) -> Result<(), Error> {
    let min_version = from.read(|tx| Box::pin(read(tx))).await?;
    to.write(move |tx| Box::pin(async move { numbers::raise(tx, NAME, min_version).await })).await
}
