//! The messages that a search compares: what the index of words names, or what a filter names. All that can be found are among them.

use crate::store::log::{self, LogRow};
use crate::store::present;
use crate::store::search::{self, IndexQuery};
use db::{Error, Tx};

/// See the module.
#[derive(Clone, Copy)]
pub(crate) enum Candidates<'a> {
    /// What the index of words names; all messages if its query is empty.
    Indexed(&'a IndexQuery),
    /// The messages at these positions, the newest first.
    At(&'a [i64]),
}

impl Candidates<'_> {
    /// Ranges of positions to go through one after the other, as [`search::steps`] has them.
    pub(crate) fn steps(self, tx: &Tx) -> &'static [fn(i64) -> i64] {
        const ALL: [fn(i64) -> i64; 1] = [|_| 1];
        match self {
            Self::Indexed(asked) => search::steps(tx, asked),
            Self::At(_) => &ALL,
        }
    }

    /// At most `limit` of a partition's candidates with positions from `from` (included) to `to` (excluded), the newest first, with their states.
    /// Where there are fewer than the limit, there are no more.
    pub(crate) async fn between(self, tx: &mut Tx, part: u16, (from, to): (i64, i64), limit: i64) -> Result<Vec<LogRow>, Error> {
        let mut rows = match self {
            Self::Indexed(asked) if asked.is_empty() => search::newest(tx, part, from - 1, to, limit).await?,
            Self::Indexed(asked) => search::candidates(tx, asked, part, (from, to), limit).await?,
            Self::At(positions) => {
                let within = positions.iter().filter(|position| (from..to).contains(*position));
                let places: Vec<_> = within.take(usize::try_from(limit).unwrap_or(0)).map(|position| (part, *position)).collect();
                log::at_each(tx, &places).await?.into_iter().flatten().collect()
            }
        };
        present::attach_states(tx, &mut rows).await?;
        Ok(rows)
    }
}
