//! What a user has missed since a cursor: the heart of resuming. It reads the log, and nothing but the log.
//!
//! Who presents the cursor decides what is found: the rows of rooms while that user was a member (joins and leaves are in the log too,
//! and `stays` says from where to where), and the rows addressed to that user alone. Within a room, seqs are gapless and rise with
//! positions, so how much was missed is a subtraction, and where it begins is a search by halves; nothing that was not missed is read.

use crate::partitions::Partitions;
use crate::service::Messages;
use crate::store::{log, members};
use contract::calls::messages::{Missed, ReadMissed};
use contract::log::Event;
use contract::{Answer, Caller, Cursor, Refusal, RoomId, UserId};
use db::{Error, Tx};

/// How far back a cursor may reach, in the user's own events (api.md). Past it a client does better to fetch what it shows.
const MOST: i64 = 5_000;

/// A page ends after so many bytes of bodies, whatever its limit: a gateway keeps it until a slow client has taken it, and there may be
/// hundreds of those. 256 KiB, which is 8 of the largest messages.
const PAGE_BYTES: usize = 256 * 1024;

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
        let most = if call.going_on { i64::MAX } else { MOST };
        let reading = Reading { user: call.user.id, partitions: self.partitions, after: cursor.positions, until };
        let limit = usize::from(call.limit.max(1));
        let user = reading.user;
        let read = self.db.read(move |tx| Box::pin(async move { page(tx, &reading, limit, most).await })).await?;
        match read {
            Read::TooFar(why) => Ok(too_far(why)),
            Read::Page { rows, positions, more } => {
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
    Page { rows: Vec<log::LogRow>, positions: Vec<i64>, more: bool },
}

/// What is asked for. There is a position for each partition.
struct Reading {
    user: UserId,
    partitions: Partitions,
    after: Vec<i64>,
    until: Option<Vec<i64>>,
}

/// One partition's part of it.
struct Part {
    number: u16,
    after: i64,
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

async fn page(tx: &mut Tx, reading: &Reading, limit: usize, most: i64) -> Result<Read, Error> {
    let mut parts = Vec::new();
    let mut missed = 0;
    for (number, after) in reading.partitions.all().zip(reading.after.iter().copied()) {
        let (end, _) = log::end(tx, number).await?;
        if after > end {
            return Ok(Read::TooFar("it lies past the log's end, so it is not of this database"));
        }
        let until = reading.until.as_ref().and_then(|until| until.get(usize::from(number)).copied()).unwrap_or(end).min(end);
        let to_one = log::positions_to_one(tx, reading.user, number, after, most.saturating_add(1)).await?;
        let stretches = unseen(tx, reading.user, number, after).await?;
        missed += stretches.iter().map(|stretch| stretch.to - stretch.from + 1).sum::<i64>() + to_one.len() as i64;
        parts.push(Part { number, after, until: until.max(after), to_one, stretches });
    }
    if missed > most {
        return Ok(Read::TooFar("it is further back than is replayed"));
    }
    let mut page = Page { rows: Vec::new(), bytes: 0, limit };
    let mut positions = reading.after.clone();
    for part in parts {
        let (to, more) = page.take(tx, &part).await?;
        if let Some(position) = positions.get_mut(usize::from(part.number)) {
            *position = to;
        }
        if more {
            return Ok(Read::Page { rows: page.rows, positions, more });
        }
    }
    Ok(Read::Page { rows: page.rows, positions, more: false })
}

/// A page that is being filled.
struct Page {
    rows: Vec<log::LogRow>,
    bytes: usize,
    limit: usize,
}

impl Page {
    /// Takes what there is room for of one partition, ascending. Up to where that has been covered, and whether there is more.
    async fn take(&mut self, tx: &mut Tx, part: &Part) -> Result<(i64, bool), Error> {
        let room = self.limit - self.rows.len();
        let mut positions = part.to_one.clone();
        for stretch in &part.stretches {
            // The page holds the first of them all, so no room can give more than a page.
            let to = stretch.to.min(stretch.from.saturating_add(room as i64));
            positions.extend(log::positions(tx, stretch.room, stretch.from, to).await?);
        }
        positions.retain(|position| *position <= part.until);
        positions.sort_unstable();
        let mut covered = part.after;
        for (taken, next) in positions.into_iter().enumerate() {
            if taken == room || self.bytes >= PAGE_BYTES {
                return Ok((covered, true));
            }
            if let Some(row) = log::at(tx, part.number, next).await? {
                self.bytes += row.payload.as_ref().map_or(0, String::len);
                self.rows.push(row);
            }
            covered = next;
        }
        Ok((part.until, false))
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
