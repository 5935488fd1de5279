//! Finds messages: in every partition from its newest position down, first those that are not indexed yet, from the log itself, then those
//! that the index names. Where a filter names its messages, those alone are looked at. Each row is compared with the query and the filters
//! again, so that all ways find the same. Without a query every message is found that the filters let through.
//!
//! The work of one call is bounded. When the bound is reached in a partition before the page is full, the walk stops there. Older messages
//! are left for the next page: this page is shorter, and `next` goes on from there without a gap.

use super::candidates::Candidates;
use super::cursor::SearchCursor;
use super::filters::Filters;
use super::query::Query;
use crate::partitions::Partitions;
use crate::store::log::{self, LogRow};
use crate::store::present;
use crate::store::search::{self, IndexQuery};
use contract::{RoomId, Time};
use db::{Error, Tx};
use std::collections::HashSet;
use std::ops::Range;

/// Most rows that one call compares in a partition, and most bytes of their bodies; either takes some 10 ms. A step of the comparison takes as
/// long as a byte of a body. Mostly there are fewer steps than bytes, but a text that nearly repeats the query may take a hundred times more.
const ROWS: usize = 2_048;
const BYTES: usize = 1 << 20;

/// So many bytes take as long as one row.
const BYTES_A_ROW: usize = BYTES / ROWS;

/// Rows that are compared before the index is asked for prefixes of two or three letters.
const FIRST: usize = 1_024;

/// Rows that are read at a time.
const CHUNK: i64 = 512;

/// With more rooms than this, the index searches all rooms, and hits in others are dropped. A room in the index query costs some
/// microseconds, and a member of so many rooms may see most hits anyway.
const NAMED: usize = 128;

/// The same for prefixes of two or three letters, and without a query. Without rooms, all messages would have to be compared, and few are in
/// the right rooms.
const NAMED_FIRST: usize = 512;

/// What to search for.
pub(crate) struct Criteria {
    /// None finds every message that the filters let through.
    pub query: Option<Query>,
    /// Only in these rooms.
    pub rooms: HashSet<RoomId>,
    pub filters: Filters,
    pub limit: usize,
}

/// A message that was found, and the matches in it: none without a query.
pub(crate) struct Hit {
    pub row: LogRow,
    pub ranges: Vec<Range<usize>>,
}

/// A page of hits, the newest first.
pub(crate) struct Hits {
    pub hits: Vec<Hit>,
    /// Where the next page begins; none at the end.
    pub next: Option<SearchCursor>,
    /// How many rows were looked at; a long one counts as several.
    pub looked_at: usize,
}

/// What was found in a partition.
struct PartitionHits {
    part: u16,
    hits: Vec<Hit>,
    /// Everything from this position on was looked at.
    down_to: i64,
    /// If the walk stopped before the end: the time of the last row that was looked at.
    left_at: Option<Time>,
    /// How many rows were looked at.
    looked_at: usize,
}

/// Finds the page of messages before a cursor.
pub(crate) async fn walk(
    tx: &mut Tx,
    partitions: Partitions,
    parts: Range<u16>,
    criteria: &Criteria,
    before: Option<&SearchCursor>,
) -> Result<Hits, Error> {
    let mut rooms: Vec<_> = criteria.rooms.iter().copied().collect();
    if rooms.is_empty() {
        return Ok(Hits { hits: Vec::new(), next: None, looked_at: 0 });
    }
    rooms.truncate(NAMED_FIRST + 1);
    let named = |most| if rooms.len() > most { Vec::new() } else { rooms.iter().copied().map(super::tokens::of_room).collect() };
    let (wanted, most) = criteria.query.as_ref().map_or((Vec::new(), NAMED_FIRST), |query| (query.wanted(), NAMED));
    let asked = IndexQuery { wanted, rooms: named(most), sender: criteria.filters.sender.map(super::tokens::of_sender) };
    let wider = asked.without_short_prefixes(named(NAMED_FIRST));
    let mut all = Vec::new();
    for part in parts {
        let (end, _) = log::end(tx, part).await?;
        let mark = search::indexed(tx, part).await?;
        let top = before.map_or(end + 1, |cursor| cursor.of(part).min(end + 1));
        let mut found = PartitionHits { part, hits: Vec::new(), down_to: top, left_at: None, looked_at: 0 };
        let in_part: Vec<_> = criteria.rooms.iter().copied().filter(|room| partitions.of_room(*room) == part).collect();
        match criteria.filters.named(tx, &in_part, &mut found.looked_at).await? {
            Some(positions) => found.look_at(tx, criteria, &positions).await?,
            None => found.look(tx, criteria, &asked, wider.as_ref(), mark).await?,
        }
        all.push(found);
    }
    Ok(page(all, partitions, criteria.limit))
}

impl PartitionHits {
    /// Compares the messages at these positions, the newest first.
    async fn look_at(&mut self, tx: &mut Tx, criteria: &Criteria, positions: &[i64]) -> Result<(), Error> {
        let (mut rows_left, mut bytes_left) = (ROWS, BYTES);
        self.down(tx, criteria, Candidates::At(positions), &mut rows_left, &mut bytes_left).await?;
        Ok(())
    }

    /// Compares what is not indexed yet, and then what the index names.
    async fn look(
        &mut self,
        tx: &mut Tx,
        criteria: &Criteria,
        asked: &IndexQuery,
        wider: Option<&IndexQuery>,
        mark: i64,
    ) -> Result<(), Error> {
        let (mut rows_left, mut bytes_left) = (ROWS, BYTES);
        // These rows are not filtered by the query. Mostly they are few, but while the index is built they may be all.
        while self.down_to > mark + 1 {
            let mut rows = search::newest(tx, self.part, mark, self.down_to, CHUNK).await?;
            present::attach_states(tx, &mut rows).await?;
            let is_all = i64::try_from(rows.len()).unwrap_or(i64::MAX) < CHUNK;
            if self.compare(rows, criteria, &mut rows_left, &mut bytes_left) {
                return Ok(());
            }
            if is_all {
                self.down_to = mark + 1;
            }
        }
        if let Some(wider) = wider {
            // Short prefixes match many words, and both engines would gather all hits first. So the newest messages that may match are
            // compared instead, and the index is asked only if the page is not full by then.
            let mut few = FIRST;
            let is_enough = self.down(tx, criteria, Candidates::Indexed(wider), &mut few, &mut bytes_left).await?;
            if is_enough && (self.hits.len() > criteria.limit || bytes_left == 0) {
                return Ok(());
            }
            self.left_at = None;
        }
        self.down(tx, criteria, Candidates::Indexed(asked), &mut rows_left, &mut bytes_left).await?;
        Ok(())
    }

    /// Compares candidates. Answers whether that was enough before the end.
    async fn down(
        &mut self,
        tx: &mut Tx,
        criteria: &Criteria,
        candidates: Candidates<'_>,
        rows_left: &mut usize,
        bytes_left: &mut usize,
    ) -> Result<bool, Error> {
        for begin in candidates.steps(tx) {
            let from = begin(self.down_to);
            let mut chunk = i64::try_from(criteria.limit).unwrap_or(CHUNK) + 1;
            while self.down_to > from {
                let rows = candidates.between(tx, self.part, (from, self.down_to), chunk).await?;
                let whole = (i64::try_from(rows.len()).unwrap_or(i64::MAX) < chunk).then_some(from);
                if self.compare(rows, criteria, rows_left, bytes_left) {
                    return Ok(true);
                }
                self.down_to = whole.unwrap_or(self.down_to);
                chunk = CHUNK;
            }
        }
        if self.down_to > 1 {
            // This happens only with one partition, so no other one's rows can come too early.
            self.left_at = Some(Time(0));
        }
        Ok(self.down_to > 1)
    }

    /// Compares rows, the newest first. Answers whether that was enough.
    fn compare(&mut self, rows: Vec<LogRow>, criteria: &Criteria, rows_left: &mut usize, bytes_left: &mut usize) -> bool {
        for row in rows {
            self.looked_at += 1;
            let (position, time) = (row.position, row.created_at);
            *rows_left = rows_left.saturating_sub(1);
            if row.is_message() && !row.is_deleted() && criteria.rooms.contains(&row.room) && criteria.filters.let_through(&row) {
                let (body, mut steps) = (row.body_now(), 0);
                let ranges = criteria.query.as_ref().map_or(Some(Vec::new()), |query| query.find(body, &mut steps));
                let took = steps.max(body.len());
                *bytes_left = bytes_left.saturating_sub(took);
                self.looked_at += took / BYTES_A_ROW;
                if let Some(ranges) = ranges {
                    self.hits.push(Hit { row, ranges });
                }
            }
            self.down_to = position;
            if self.hits.len() > criteria.limit || *rows_left == 0 || *bytes_left == 0 {
                self.left_at = Some(time);
                return true;
            }
        }
        false
    }
}

/// Merges the hits of the partitions, down to the time from which on none can be missing.
fn page(found: Vec<PartitionHits>, partitions: Partitions, limit: usize) -> Hits {
    // A hit that is older than another partition's stop has to wait for the next page.
    let known =
        |hit: &Hit| found.iter().all(|other| other.part == hit.row.part || other.left_at.is_none_or(|left| hit.row.created_at >= left));
    let mut on_page: Vec<(Time, u16, i64)> = found.iter().flat_map(|found| &found.hits).filter(|hit| known(hit)).map(order).collect();
    on_page.sort_by_key(|order| std::cmp::Reverse(*order));
    on_page.truncate(limit);
    let looked_at = found.iter().map(|found| found.looked_at).sum();
    let mut next = SearchCursor::end(partitions.count());
    let (mut hits, mut more) = (Vec::with_capacity(on_page.len()), false);
    for found in found {
        let mut rest = None;
        for hit in found.hits {
            // The hits on the page are the newest of each partition, because within one times do not fall.
            if on_page.binary_search_by(|one| order(&hit).cmp(one)).is_ok() {
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
