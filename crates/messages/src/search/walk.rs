//! How messages are found: every partition from its newest position down, first what is not indexed yet, from the log itself, then what
//! the index names. Each row is compared with the query again, so that both ways find the same.
//!
//! The work of one call is bounded. A partition in which so much was looked at without filling the page is left where the walk has come to,
//! and what is older than that is not told yet: the page is shorter than it might be, and `next` goes on from there, without a gap.

use super::place::Place;
use super::query::Query;
use crate::partitions::Partitions;
use crate::store::log::{self, LogRow};
use crate::store::search::{self, Asked};
use contract::{RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::HashSet;
use std::ops::Range;

/// Rows that one call compares in a partition, and bytes of their bodies; either takes some 10 ms. A step of the comparison takes as long as
/// a byte of a body: mostly there are more bytes, but a text that is nearly the query again and again may take a hundred times as many steps.
const ROWS: usize = 2_048;
const BYTES: usize = 1 << 20;

/// What is paid for as a row each: the same time.
const BYTES_A_ROW: usize = BYTES / ROWS;

/// Rows that are compared before the index is asked for words that begin with two or three letters.
const FIRST: usize = 1_024;

/// Rows that are read at a time.
const CHUNK: i64 = 512;

/// With more rooms than this they are not named to the index, and what it finds in others is dropped: to look up a room costs some
/// microseconds, and who is in so many has much of what is found.
const NAMED: usize = 128;

/// The same where words that begin with two or three letters are looked for: without rooms, all messages would have to be compared, and few
/// of those are in them.
const NAMED_FIRST: usize = 512;

/// What is looked for.
pub(crate) struct Wish {
    pub query: Query,
    /// Only in these rooms.
    pub rooms: HashSet<RoomId>,
    pub sender: Option<UserId>,
    pub limit: usize,
}

/// A message that was found, and where in it.
pub(crate) struct Hit {
    pub row: LogRow,
    pub ranges: Vec<Range<usize>>,
}

/// A page of them, the newest first.
pub(crate) struct Hits {
    pub hits: Vec<Hit>,
    /// Where the next page begins; none at the end.
    pub next: Option<Place>,
    /// How many rows were looked at; a long one counts as several.
    pub looked_at: usize,
}

/// What was found in a partition.
struct Found {
    part: u16,
    hits: Vec<Hit>,
    /// Everything from here on was looked at.
    down_to: i64,
    /// The time of the last row that was looked at, where the walk was left before the end.
    left_at: Option<Time>,
    /// How many rows were looked at.
    looked_at: usize,
}

/// Looks for a page of messages before a place.
pub(crate) async fn walk(
    tx: &mut Tx,
    partitions: Partitions,
    parts: Range<u16>,
    wish: &Wish,
    before: Option<&Place>,
) -> Result<Hits, Error> {
    let mut rooms: Vec<_> = wish.rooms.iter().copied().collect();
    if rooms.is_empty() {
        return Ok(Hits { hits: Vec::new(), next: None, looked_at: 0 });
    }
    rooms.truncate(NAMED_FIRST + 1);
    let named = |most| if rooms.len() > most { Vec::new() } else { rooms.iter().copied().map(super::tokens::of_room).collect() };
    let asked = Asked { wanted: wish.query.wanted(), rooms: named(NAMED), sender: wish.sender.map(super::tokens::of_sender) };
    let wider = asked.without_short_prefixes(named(NAMED_FIRST));
    let mut all = Vec::new();
    for part in parts {
        let (end, _) = log::end(tx, part).await?;
        let mark = search::indexed(tx, part).await?;
        let top = before.map_or(end + 1, |place| place.of(part).min(end + 1));
        let mut found = Found { part, hits: Vec::new(), down_to: top, left_at: None, looked_at: 0 };
        found.look(tx, wish, &asked, wider.as_ref(), mark).await?;
        all.push(found);
    }
    Ok(page(all, partitions, wish.limit))
}

impl Found {
    async fn look(&mut self, tx: &mut Tx, wish: &Wish, asked: &Asked, wider: Option<&Asked>, mark: i64) -> Result<(), Error> {
        let (mut rows_left, mut bytes_left) = (ROWS, BYTES);
        // These are read whether or not they are of any interest here: mostly few, but all of them while the index is made anew.
        while self.down_to > mark + 1 {
            let rows = search::newest(tx, self.part, mark, self.down_to, CHUNK).await?;
            let is_all = i64::try_from(rows.len()).unwrap_or(i64::MAX) < CHUNK;
            if self.compare(rows, wish, &mut rows_left, &mut bytes_left) {
                return Ok(());
            }
            if is_all {
                self.down_to = mark + 1;
            }
        }
        if let Some(wider) = wider {
            // What begins so is mostly common, and both engines would gather all of it first: the newest messages that may have it are
            // compared instead, and only if the page is not full by then is the index asked.
            let mut few = FIRST;
            if self.down(tx, wish, wider, &mut few, &mut bytes_left).await? && (self.hits.len() > wish.limit || bytes_left == 0) {
                return Ok(());
            }
            self.left_at = None;
        }
        self.down(tx, wish, asked, &mut rows_left, &mut bytes_left).await?;
        Ok(())
    }

    /// Compares what the index names, or where it is asked for nothing all messages, and says whether that was enough before the end.
    async fn down(
        &mut self,
        tx: &mut Tx,
        wish: &Wish,
        asked: &Asked,
        rows_left: &mut usize,
        bytes_left: &mut usize,
    ) -> Result<bool, Error> {
        for begin in search::steps(tx, asked) {
            let from = begin(self.down_to);
            let mut chunk = i64::try_from(wish.limit).unwrap_or(CHUNK) + 1;
            while self.down_to > from {
                let rows = if asked.is_empty() {
                    search::newest(tx, self.part, from - 1, self.down_to, chunk).await?
                } else {
                    search::candidates(tx, asked, self.part, (from, self.down_to), chunk).await?
                };
                let whole = (i64::try_from(rows.len()).unwrap_or(i64::MAX) < chunk).then_some(from);
                if self.compare(rows, wish, rows_left, bytes_left) {
                    return Ok(true);
                }
                self.down_to = whole.unwrap_or(self.down_to);
                chunk = CHUNK;
            }
        }
        if self.down_to > 1 {
            // Only where there is one partition, so there is no other whose rows might be told too early.
            self.left_at = Some(Time(0));
        }
        Ok(self.down_to > 1)
    }

    /// Compares rows, the newest first, and says whether that was enough.
    fn compare(&mut self, rows: Vec<LogRow>, wish: &Wish, rows_left: &mut usize, bytes_left: &mut usize) -> bool {
        for row in rows {
            self.looked_at += 1;
            let (position, time) = (row.position, row.created_at);
            *rows_left = rows_left.saturating_sub(1);
            if row.is_message() && wish.rooms.contains(&row.room) && wish.sender.is_none_or(|sender| sender == row.actor) {
                let (body, mut steps) = (row.payload.as_deref().unwrap_or_default(), 0);
                let ranges = wish.query.find(body, &mut steps);
                let took = steps.max(body.len());
                *bytes_left = bytes_left.saturating_sub(took);
                self.looked_at += took / BYTES_A_ROW;
                if let Some(ranges) = ranges {
                    self.hits.push(Hit { row, ranges });
                }
            }
            self.down_to = position;
            if self.hits.len() > wish.limit || *rows_left == 0 || *bytes_left == 0 {
                self.left_at = Some(time);
                return true;
            }
        }
        false
    }
}

/// Puts together what was found in the partitions, as far as it is known that nothing newer is missing.
fn page(found: Vec<Found>, partitions: Partitions, limit: usize) -> Hits {
    // What is older than where another partition was left may not be told yet.
    let known =
        |hit: &Hit| found.iter().all(|other| other.part == hit.row.part || other.left_at.is_none_or(|left| hit.row.created_at >= left));
    let mut told: Vec<(Time, u16, i64)> = found.iter().flat_map(|found| &found.hits).filter(|hit| known(hit)).map(order).collect();
    told.sort_by_key(|order| std::cmp::Reverse(*order));
    told.truncate(limit);
    let looked_at = found.iter().map(|found| found.looked_at).sum();
    let mut next = Place::end(partitions.count());
    let (mut hits, mut more) = (Vec::with_capacity(told.len()), false);
    for found in found {
        let mut rest = None;
        for hit in found.hits {
            // Those that are told are the newest of each partition, because within one times do not fall.
            if told.binary_search_by(|one| order(&hit).cmp(one)).is_ok() {
                hits.push(hit);
            } else {
                rest = rest.or(Some(hit.row.position));
            }
        }
        next.set(found.part, rest.map_or(found.down_to, |position| position + 1));
        more |= rest.is_some() || found.left_at.is_some();
    }
    hits.sort_by_key(|hit| std::cmp::Reverse(order(hit)));
    Hits { hits, next: more.then_some(next), looked_at }
}

fn order(hit: &Hit) -> (Time, u16, i64) {
    (hit.row.created_at, hit.row.part, hit.row.position)
}
