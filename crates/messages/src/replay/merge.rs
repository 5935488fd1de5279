//! Merges the partitions of the log into one stream, in the order of commits.
//!
//! Positions cannot be compared across partitions, but each row has the time of its commit, and within a partition times rise with positions.
//! So the next row is always the one with the earliest time among the partitions' next rows; of two equal times the lower partition goes
//! first. Within a partition the order is always that of positions: a wrong clock can change the order of partitions, but cannot make a cursor
//! wrong. The next row depends only on the position in each partition, so a stream that was cut anywhere goes on in the same order.

use crate::store::log::{self, Kind, LogRow};
use crate::store::past;
use contract::RoomId;
use db::{Error, Tx};
use std::collections::{HashMap, VecDeque};

/// A page ends after so many bytes, below its limit too: a gateway keeps a page until a slow client has taken it, and there may be hundreds of
/// slow clients. 256 KiB are 8 of the largest messages.
const PAGE_BYTES: usize = 256 * 1024;

/// The size that a `room created` counts as: its row holds no text, but the event has up to a hundred usernames of 32 bytes, and more.
const ROOM_BYTES: usize = 4 * 1024;

/// How many rows of a partition are read at once. Few at first, because the page may come from other partitions, or rows may be large. Each
/// time twice as many, up to the most.
const FIRST_READ: usize = 4;
const MOST_READ: usize = 64;

/// A page of the stream.
pub(crate) struct Page {
    pub rows: Vec<LogRow>,
    /// The position up to which each partition is covered: the next page begins after it.
    pub positions: Vec<i64>,
    /// Whether there is a next page.
    pub more: bool,
}

/// One partition of the stream.
pub(crate) struct Source {
    part: u16,
    /// The positions of its next rows, ascending.
    positions: VecDeque<i64>,
    /// The position up to which it is covered when all of them were taken.
    until: i64,
    /// Rows that were read and not taken; their positions are no longer in `positions`.
    read: VecDeque<LogRow>,
    /// How many are read next.
    count: usize,
}

impl Source {
    /// The rows at these positions, which ascend up to `until`. Either these are all that there are up to `until`, or one more than a page
    /// can take.
    pub(crate) fn new(part: u16, positions: Vec<i64>, until: i64) -> Self {
        Self { part, positions: positions.into(), until, read: VecDeque::new(), count: FIRST_READ }
    }

    /// The position of the next row; `None` at the end.
    fn next(&self) -> Option<i64> {
        self.read.front().map(|row| row.position).or_else(|| self.positions.front().copied())
    }
}

impl Page {
    /// The next rows of all partitions, at most `limit`. There is a source for each partition, in their order. Rooms in `last_seqs` are told as of
    /// that seq, all others as they are now.
    pub(crate) async fn of(tx: &mut Tx, mut sources: Vec<Source>, limit: usize, last_seqs: &HashMap<RoomId, i64>) -> Result<Self, Error> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < limit && bytes < PAGE_BYTES {
            read(tx, &mut sources, last_seqs).await?;
            let nexts = sources.iter_mut().filter_map(|source| Some(((source.read.front()?.created_at, source.part), source)));
            let Some(row) = nexts.min_by_key(|(place, _)| *place).and_then(|(_, source)| source.read.pop_front()) else { break };
            bytes += if row.kind == Kind::RoomCreated { ROOM_BYTES } else { row.bytes_told() };
            rows.push(row);
        }
        let more = sources.iter().any(|source| source.next().is_some());
        // Rows between a partition's last row on this page and its next one are not for this reader.
        let positions = sources.iter().map(|source| source.next().map_or(source.until, |next| next - 1)).collect();
        Ok(Self { rows, positions, more })
    }
}

/// Reads more rows of every partition that has none left, all in one round trip, so that the next row of every partition is known.
async fn read(tx: &mut Tx, sources: &mut [Source], last_seqs: &HashMap<RoomId, i64>) -> Result<(), Error> {
    loop {
        let mut places = Vec::new();
        for source in sources.iter_mut().filter(|source| source.read.is_empty()) {
            let count = source.count.min(source.positions.len());
            places.extend(source.positions.drain(..count).map(|position| (source.part, position)));
            source.count = MOST_READ.min(source.count * 2);
        }
        if places.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<LogRow> = log::at_each(tx, &places).await?.into_iter().flatten().collect();
        past::attach(tx, &mut rows, |row| last_seqs.get(&row.room).copied()).await?;
        for row in rows {
            if let Some(source) = sources.get_mut(usize::from(row.part)) {
                source.read.push_back(row);
            }
        }
    }
}
