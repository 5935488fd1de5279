//! Keeping the index. The log is its first level: what is newer than the mark in `indexed` is read from the log itself by whoever searches
//! ([`super::walk`]), in the same snapshot, so that what is acknowledged is found at once. When [`ARREARS`] rows have gathered there, the
//! append that notices it indexes them in its own transaction, all together, which should cost less than indexing each with its own append,
//! because an inverted index is written by the word. The same mark makes everything else simple: an older database, a copy, an index by other
//! rules, or what a server of an older version has appended is just further behind, and [`catch_up`] brings it up to date in the background.

use crate::partitions::{self, Partitions};
use crate::store::{log, search};
use db::{Db, Error, Tx};
use std::time::Duration;

/// So many rows of the log may stand behind the mark; then they are indexed.
const ARREARS: i64 = 256;

/// The most that one append indexes: twice what a batch may hold, so that appends never fall behind.
const AT_ONCE: i64 = 2_048;

/// Where more than this is behind the mark, [`catch_up`] does it and appends are not slowed by it; until then a search reads the log, a page at a time.
const FAR: i64 = 8_192;

/// The most that [`catch_up`] indexes in one transaction: appends wait for it, some 10 ms.
const PAGE: i64 = 1_000;

/// After how many rows the log says that this is going on.
const TOLD: i64 = 100_000;

/// How often it is looked whether something is far behind.
const EVERY: Duration = Duration::from_secs(30);

/// Indexes what an append finds in arrears, in its transaction, under its partition's lock. `known` is a mark that was seen before, and
/// becomes the newest; the true one is never lower.
pub(crate) async fn keep_up(tx: &mut Tx, part: u16, end: i64, known: &mut i64) -> Result<(), Error> {
    if end.saturating_sub(*known) < ARREARS {
        return Ok(());
    }
    *known = search::indexed(tx, part).await?;
    if (ARREARS..=FAR).contains(&(end - *known)) {
        *known = advance(tx, part, *known, end.min(*known + AT_ONCE)).await?;
    }
    Ok(())
}

/// Indexes up to a position, and answers it.
async fn advance(tx: &mut Tx, part: u16, from: i64, to: i64) -> Result<i64, Error> {
    let messages = search::to_index(tx, part, from, to).await?;
    search::insert(tx, part, &messages).await?;
    search::set_indexed(tx, part, to).await?;
    Ok(to)
}

/// Indexes what stands behind each mark, where that is at least `arrears` rows, in transactions of their own between the appends. `told` hears how many rows of the log were indexed so far.
///
/// # Errors
/// The database failed; what was done stays done.
pub(crate) async fn catch_up(db: &Db, arrears: i64, mut told: impl FnMut(i64)) -> Result<(), Error> {
    let mut done = 0;
    for part in Partitions::of(db).all() {
        loop {
            let rows = db.write(move |tx| Box::pin(page(tx, part, arrears))).await?;
            if rows == 0 {
                break;
            }
            done += rows;
            told(done);
        }
    }
    Ok(())
}

/// One page of it, and how many rows it had.
async fn page(tx: &mut Tx, part: u16, arrears: i64) -> Result<i64, Error> {
    tx.lock(partitions::lock(part)).await?;
    let (mark, (end, _)) = (search::indexed(tx, part).await?, log::end(tx, part).await?);
    if end - mark < arrears {
        return Ok(0);
    }
    let to = end.min(mark + PAGE);
    advance(tx, part, mark, to).await?;
    Ok(to - mark)
}

/// Catches up for as long as the service runs.
pub(crate) async fn keep_catching_up(db: Db) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let mut last = 0;
        let caught_up = catch_up(&db, ARREARS, |done| {
            if done / TOLD > last / TOLD {
                tracing::info!(rows = done, "indexing for search what was there before");
            }
            last = done;
        });
        if let Err(error) = caught_up.await {
            tracing::warn!(%error, "could not index for search; trying again");
        }
    }
}
