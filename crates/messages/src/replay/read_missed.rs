//! What a user has missed since a cursor, read from the log alone. Resuming rests on it.
//!
//! The user gets the rows of rooms from the times when the user was a member (the table `stays`), and the rows for this user alone. Within a
//! room, seqs are gapless and rise with positions. So how much was missed is a subtraction, and where it begins is found by binary search;
//! nothing else is read.
//!
//! A room that the user is not in any more is told as of the user's last seq in it. Nothing that was said after the leaving is in a message from before it.
//!
//! The partitions come as one stream, in the order of commits (`merge`). Each statement is for all partitions and rooms together, so a page
//! costs a handful of round trips.

use super::merge::{Page, Source};
use crate::partitions::Partitions;
use crate::service::Messages;
use crate::store::log;
use crate::store::members::{self, SeqRange, Unseen};
use contract::calls::messages::{Missed, ReadMissed};
use contract::log::Event;
use contract::message::nonce_for_reader;
use contract::{Answer, Caller, Cursor, Refusal, RoomId, UserId};
use db::{Error, Tx};
use std::collections::HashMap;

/// How far back a cursor may reach, in the user's own messages and memberships (api.md). Past that, a client fetches what it shows instead.
const MOST: i64 = 5_000;

/// The same in events of all kinds (rich.md, "Search, GraphQL, resume"): what changes messages is more, and less to fetch.
const MOST_OF_ALL: i64 = 20_000;

impl Answer<ReadMissed> for Messages {
    async fn answer(&self, who: &Caller, call: ReadMissed) -> Result<Missed, Refusal> {
        who.must_be_service()?;
        let Some(cursor) = Cursor::parse(&call.cursor) else { return Ok(too_far("it is not a cursor of this server")) };
        if cursor.epoch != self.db.epoch() {
            return Ok(too_far("it is of another database, or from before this one was restored"));
        }
        if cursor.positions.len() != usize::from(self.partitions.count()) {
            return Ok(too_far("it is of a database with other partitions"));
        }
        let until = call.until.map(|until| until.positions);
        let reading = Reading {
            user: call.user.id,
            partitions: self.partitions,
            after: cursor.positions,
            until,
            limit: usize::from(call.limit.max(1)),
            going_on: call.going_on,
        };
        let user = reading.user;
        let (epoch, read) = self.read_in_epoch(move |tx| Box::pin(async move { page(tx, &reading).await })).await?;
        if epoch != cursor.epoch {
            return Ok(too_far("the database has begun another epoch"));
        }
        match read {
            Read::TooFar(why) => Ok(too_far(why)),
            Read::Page(Page { rows, positions, more }) => {
                let mut entries = self.resolver.entries(rows).await?;
                for entry in &mut entries {
                    if let Event::NewMessage { sender, message } = &mut entry.event {
                        message.nonce = nonce_for_reader(message.nonce.take(), sender.id == user);
                    }
                }
                Ok(Missed::Entries { entries, cursor: Cursor::new(cursor.epoch, positions), more })
            }
        }
    }
}

fn too_far(why: &str) -> Missed {
    Missed::TooFar { why: why.to_owned() }
}

enum Read {
    TooFar(&'static str),
    Page(Page),
}

/// What to read. `after` and `until` have a position for each partition.
struct Reading {
    user: UserId,
    partitions: Partitions,
    after: Vec<i64>,
    until: Option<Vec<i64>>,
    /// How many rows a page has at the most.
    limit: usize,
    /// Whether the cursor may reach back any distance.
    going_on: bool,
}

async fn is_too_much(tx: &mut Tx, missed: i64, ranges: &[SeqRange]) -> Result<bool, Error> {
    if missed <= MOST || missed > MOST_OF_ALL {
        return Ok(missed > MOST_OF_ALL);
    }
    Ok(missed - log::amendments_each(tx, ranges).await? > MOST)
}

/// The last seq that the user may see of each room that the user is not in any more. The memberships are all that end after a position of the room's
/// partition, so the last one of each room is among them.
fn last_seqs(memberships: &[Unseen]) -> HashMap<RoomId, i64> {
    let mut ends: HashMap<RoomId, Option<i64>> = HashMap::new();
    for Unseen { range, ended } in memberships {
        let end = ends.entry(range.room).or_insert(*ended);
        *end = end.zip(*ended).map(|(end, ended)| end.max(ended));
    }
    ends.into_iter().filter_map(|(room, end)| Some((room, end?))).collect()
}

async fn page(tx: &mut Tx, reading: &Reading) -> Result<Read, Error> {
    let limit = i64::try_from(reading.limit).unwrap_or(i64::MAX);
    let places: Vec<(u16, i64)> = reading.partitions.all().zip(reading.after.iter().copied()).collect();
    let ends = log::ends(tx, reading.partitions).await?;
    if places.iter().zip(&ends).any(|((_, after), end)| after > end) {
        return Ok(Read::TooFar("it lies past the log's end, so it is not of this database"));
    }
    // One more than the limit shows that there are more.
    let most = if reading.going_on { limit } else { MOST_OF_ALL }.saturating_add(1);
    let to_one = log::positions_to_one_each(tx, reading.user, &places, most).await?;
    let unseen = members::unseen_each(tx, reading.user, &places).await?;
    let counts: Vec<usize> = unseen.iter().map(Vec::len).collect();
    let unseen = unseen.concat();
    let ranges: Vec<SeqRange> = unseen.iter().map(|unseen| unseen.range).collect();
    let missed = ranges.iter().map(|range| range.to - range.from + 1).sum::<i64>()
        + to_one.iter().map(|positions| positions.len() as i64).sum::<i64>();
    if !reading.going_on && is_too_much(tx, missed, &ranges).await? {
        return Ok(Read::TooFar("it is further back than is replayed"));
    }
    // One room alone may fill the page, and have one row more.
    let mut of_rooms = log::positions_each(tx, &ranges, limit.saturating_add(1)).await?.into_iter();
    let mut sources = Vec::with_capacity(places.len());
    for ((((part, after), end), to_one), count) in places.into_iter().zip(ends).zip(to_one).zip(counts) {
        let until = reading.until.as_ref().and_then(|until| until.get(usize::from(part)).copied()).unwrap_or(end).min(end).max(after);
        let mut positions = to_one;
        positions.extend(of_rooms.by_ref().take(count).flatten());
        positions.retain(|position| *position <= until);
        positions.sort_unstable();
        positions.truncate(reading.limit.saturating_add(1));
        sources.push(Source::new(part, positions, until));
    }
    Ok(Read::Page(Page::of(tx, sources, reading.limit, &last_seqs(&unseen)).await?))
}
