//! What a user has missed since a cursor: the heart of resuming. It reads the log, and nothing but the log.
//!
//! Who presents the cursor decides what is found: the rows of rooms while that user was a member (joins and leaves are in the log too,
//! and `stays` says from where to where), and the rows addressed to that user alone. Within a room, seqs are gapless and rise with
//! positions, so how much was missed is a subtraction, and where it begins is a search by halves; nothing that was not missed is read.
//!
//! The partitions come as one stream, in the order in which things were committed (`merge`).

use crate::merge::{Page, Source};
use crate::partitions::Partitions;
use crate::service::Messages;
use crate::store::{log, members};
use contract::calls::messages::{Missed, ReadMissed};
use contract::log::Event;
use contract::{Answer, Caller, Cursor, Refusal, RoomId, UserId};
use db::{Error, Tx};

/// How far back a cursor may reach, in the user's own events (api.md). Past it a client does better to fetch what it shows.
const MOST: i64 = 5_000;

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
        let read = self.db.read(move |tx| Box::pin(async move { page(tx, &reading).await })).await?;
        match read {
            Read::TooFar(why) => Ok(too_far(why)),
            Read::Page(Page { rows, positions, more }) => {
                let mut entries = self.resolver.entries(rows).await?;
                for entry in &mut entries {
                    if let Event::NewMessage { sender, message } = &mut entry.event
                        && sender.id != user
                    {
                        message.nonce = None;
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

/// What is asked for. There is a position for each partition.
struct Reading {
    user: UserId,
    partitions: Partitions,
    after: Vec<i64>,
    until: Option<Vec<i64>>,
    /// How many rows a page has at the most.
    limit: usize,
    /// Whether the cursor may reach back as far as it likes.
    going_on: bool,
}

/// One partition's part of it.
struct Part {
    number: u16,
    until: i64,
    /// Of what is for this user alone.
    to_one: Vec<i64>,
    stretches: Vec<Stretch>,
}

/// A stretch of one room's rows, by seq, both ends included, none of it seen yet.
struct Stretch {
    room: RoomId,
    from: i64,
    to: i64,
}

async fn page(tx: &mut Tx, reading: &Reading) -> Result<Read, Error> {
    let limit = i64::try_from(reading.limit).unwrap_or(i64::MAX);
    // One more than matters tells that there are more.
    let to_one = if reading.going_on { limit } else { MOST }.saturating_add(1);
    let mut parts = Vec::new();
    let mut missed = 0;
    for (number, after) in reading.partitions.all().zip(reading.after.iter().copied()) {
        let (end, _) = log::end(tx, number).await?;
        if after > end {
            return Ok(Read::TooFar("it lies past the log's end, so it is not of this database"));
        }
        let until = reading.until.as_ref().and_then(|until| until.get(usize::from(number)).copied()).unwrap_or(end).min(end);
        let to_one = log::positions_to_one(tx, reading.user, number, after, to_one).await?;
        let stretches = unseen(tx, reading.user, number, after).await?;
        missed += stretches.iter().map(|stretch| stretch.to - stretch.from + 1).sum::<i64>() + to_one.len() as i64;
        parts.push(Part { number, until: until.max(after), to_one, stretches });
    }
    if missed > MOST && !reading.going_on {
        return Ok(Read::TooFar("it is further back than is replayed"));
    }
    let mut sources = Vec::with_capacity(parts.len());
    for part in parts {
        sources.push(part.source(tx, limit).await?);
    }
    Ok(Read::Page(Page::of(tx, sources, reading.limit).await?))
}

impl Part {
    /// The places of its first rows, one more than a page can take. They are read from indexes alone.
    async fn source(self, tx: &mut Tx, limit: i64) -> Result<Source, Error> {
        let mut positions = self.to_one;
        for stretch in &self.stretches {
            // A room by itself may have them all.
            let to = stretch.to.min(stretch.from.saturating_add(limit));
            positions.extend(log::positions(tx, stretch.room, stretch.from, to).await?);
        }
        positions.retain(|position| *position <= self.until);
        positions.sort_unstable();
        positions.truncate(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1));
        Ok(Source::new(self.number, positions, self.until))
    }
}

/// What lies after the position in the user's rooms of a partition.
async fn unseen(tx: &mut Tx, user: UserId, part: u16, after: i64) -> Result<Vec<Stretch>, Error> {
    let mut stretches = Vec::new();
    for stay in members::stays_with_news(tx, user, part, after).await? {
        let Some(head) = log::head(tx, stay.room).await? else { continue };
        let (from, head) = (stay.from_seq.max(1), head.seq.unwrap_or(0));
        let to = stay.to_seq.map_or(head, |to| to.min(head));
        let from = log::first_seq_after(tx, stay.room, from, to, after).await?;
        if from <= to {
            stretches.push(Stretch { room: stay.room, from, to });
        }
    }
    Ok(stretches)
}
