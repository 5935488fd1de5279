//! What a user has missed since a cursor: the heart of resuming. It reads the log, and nothing but the log.
//!
//! Who presents the cursor decides what is found: the rows of rooms while that user was a member (joins and leaves are in the log too,
//! and `stays` says from where to where), and the rows addressed to that user alone. Within a room, seqs are gapless and rise with
//! positions, so how much was missed is a subtraction, and where it begins is a search by halves; nothing that was not missed is read.

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
        let [after] = cursor.positions[..] else { return Ok(too_far("it is of a database with other partitions")) };
        let until = call.until.as_ref().and_then(|until| until.positions.first().copied());
        let (user, limit) = (call.user.id, usize::from(call.limit.max(1)));
        let most = if call.going_on { i64::MAX } else { MOST };
        let read = self.db.read(move |tx| Box::pin(page(tx, user, after, until, limit, most))).await?;
        match read {
            Read::TooFar(why) => Ok(too_far(why)),
            Read::Page { rows, position, more } => {
                let mut entries = self.resolver.entries(rows).await?;
                for entry in &mut entries {
                    if let Event::NewMessage { sender, message } = &mut entry.event
                        && sender.id != user
                    {
                        message.nonce = None;
                    }
                }
                Ok(Missed::Entries { entries, cursor: Cursor::new(cursor.epoch, vec![position]), more })
            }
        }
    }
}

fn too_far(why: &str) -> Missed {
    Missed::TooFar { why: why.to_owned() }
}

enum Read {
    TooFar(&'static str),
    Page { rows: Vec<log::LogRow>, position: i64, more: bool },
}

/// A stretch of one room's rows, by seq, both ends included, none of it seen yet.
struct Stretch {
    room: RoomId,
    from: i64,
    to: i64,
}

async fn page(tx: &mut Tx, user: UserId, after: i64, until: Option<i64>, limit: usize, most: i64) -> Result<Read, Error> {
    let (end, _) = log::end(tx).await?;
    if after > end {
        return Ok(Read::TooFar("it lies past the log's end, so it is not of this database"));
    }
    let until = until.unwrap_or(end).min(end);
    let to_one = log::positions_to_one(tx, user, after, most.saturating_add(1)).await?;
    let stretches = unseen(tx, user, after).await?;
    let missed = stretches.iter().map(|stretch| stretch.to - stretch.from + 1).sum::<i64>() + to_one.len() as i64;
    if missed > most {
        return Ok(Read::TooFar("it is further back than is replayed"));
    }
    let mut positions = to_one;
    for stretch in stretches {
        // The page holds the first of them all, so no room can give more than a page.
        let to = stretch.to.min(stretch.from.saturating_add(limit as i64));
        positions.extend(log::positions(tx, stretch.room, stretch.from, to).await?);
    }
    positions.retain(|position| *position <= until);
    positions.sort_unstable();
    let mut more = positions.len() > limit;
    positions.truncate(limit);
    let mut position = if more { positions.last().copied().unwrap_or(after) } else { until.max(after) };
    let (mut rows, mut bytes) = (Vec::with_capacity(positions.len()), 0);
    let mut last = after;
    for next in positions {
        if bytes >= PAGE_BYTES {
            (position, more) = (last, true);
            break;
        }
        if let Some(row) = log::at(tx, next).await? {
            bytes += row.payload.as_ref().map_or(0, String::len);
            rows.push(row);
        }
        last = next;
    }
    Ok(Read::Page { rows, position, more })
}

/// What of the user's rooms lies after the position.
async fn unseen(tx: &mut Tx, user: UserId, after: i64) -> Result<Vec<Stretch>, Error> {
    let mut stretches = Vec::new();
    for stay in members::stays_with_news(tx, user, after).await? {
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
