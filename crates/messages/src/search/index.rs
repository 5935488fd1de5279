//! Keeps the search index. A search reads rows past the mark in `indexed` from the log itself ([`super::walk`]), in the same snapshot, so an
//! acknowledged message is found at once. When [`ARREARS`] rows lie past the mark, the append that notices it indexes them all together, in its
//! own transaction. That should cost less than to index each with its own append, because an inverted index is written by the word. After an
//! update, a copy, or appends by an older server, the mark is just further behind, and [`catch_up`] brings it up to date in the background.

use crate::partitions::{self, Partitions};
use crate::store::search::Reindexed;
use crate::store::{log, search};
use db::{Db, Error, Tx};
use std::time::Duration;

/// When so many rows lie past the mark, they are indexed.
const ARREARS: i64 = 256;

/// Most rows that one append indexes: twice the size of a batch, so that appends never fall behind.
const AT_ONCE: i64 = 2_048;

/// When more rows than this lie past the mark, [`catch_up`] indexes them, so that appends are not slowed.
const FAR: i64 = 8_192;

/// Most rows that [`catch_up`] indexes in one transaction. Appends wait for it, some 10 ms.
const PAGE: i64 = 1_000;

/// After how many rows the progress is logged.
const LOG_EVERY: i64 = 100_000;

/// How often the marks are checked.
const EVERY: Duration = Duration::from_secs(30);

/// Indexes the rows past the mark if they are due, in the append's transaction, under its partition's lock. `known` is the last known mark and
/// is updated; the true one is never lower. `has_forgotten`: what [`replace`] has answered in the transaction.
pub(crate) async fn keep_up(tx: &mut Tx, part: u16, end: i64, known: &mut i64, has_forgotten: bool) -> Result<(), Error> {
    if end.saturating_sub(*known) < ARREARS {
        return Ok(());
    }
    if !has_forgotten {
        search::forget_for_good(tx, false).await?;
    }
    *known = search::indexed(tx, part).await?;
    if (ARREARS..=FAR).contains(&(end - *known)) {
        *known = advance(tx, part, *known, end.min(*known + AT_ONCE)).await?;
    }
    Ok(())
}

/// Replaces the texts of messages that have changed, as far as they are indexed. The others are indexed later, with their texts as they are then.
/// Answers whether there were any.
pub(crate) async fn replace(tx: &mut Tx, part: u16, messages: impl ExactSizeIterator<Item = &Reindexed>) -> Result<bool, Error> {
    if messages.len() == 0 {
        return Ok(false);
    }
    let mark = search::indexed(tx, part).await?;
    let indexed: Vec<&Reindexed> = messages.filter(|message| message.position <= mark).collect();
    if !indexed.is_empty() {
        search::replace(tx, part, &indexed).await?;
    }
    Ok(!indexed.is_empty())
}

/// Indexes up to a position, and answers it.
async fn advance(tx: &mut Tx, part: u16, from: i64, to: i64) -> Result<i64, Error> {
    let messages = search::to_index(tx, part, from, to).await?;
    search::insert(tx, part, &messages).await?;
    search::set_indexed(tx, part, to).await?;
    Ok(to)
}

/// Indexes the rows past each mark, if they are at least `arrears`, in transactions of their own between the appends. `progress` is called with
/// the number of rows so far.
///
/// # Errors
/// The database failed; what was done stays done.
pub(crate) async fn catch_up(db: &Db, arrears: i64, mut progress: impl FnMut(i64)) -> Result<(), Error> {
    let mut done = 0;
    for part in Partitions::of(db).all() {
        loop {
            let rows = db.write(move |tx| Box::pin(page(tx, part, arrears))).await?;
            if rows == 0 {
                break;
            }
            done += rows;
            progress(done);
        }
    }
    Ok(())
}

/// Indexes one page, and answers how many rows it had.
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
            if done / LOG_EVERY > last / LOG_EVERY {
                tracing::info!(rows = done, "indexing for search what was there before");
            }
            last = done;
        });
        if let Err(error) = caught_up.await {
            tracing::warn!(%error, "could not index for search; trying again");
        }
    }
}
