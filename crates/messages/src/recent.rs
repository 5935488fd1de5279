//! Messages that others sent to the caller: those of the rooms that the caller is in, since joining each, newest first.
//!
//! The rooms are walked down together, always the one whose next row is the newest, until the page is full and nothing newer can come. Own
//! messages are passed over on the way, and there may be any number of them, so one call looks at a bounded number of rows. Where that ends
//! the walk, the answer holds what was found down to there and nothing older: it may lack what is old, but nothing newer than what it has.

use crate::service::Messages;
use crate::store::log::{self, Authors, HeadRow, LogRow};
use crate::store::members;
use contract::calls::messages::{Recent, Recently};
use contract::{Answer, Caller, Refusal, RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::BinaryHeap;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Rows that one call looks at, besides the newest of each room: some 10 to 20 ms. The answer has no next page, so it looks back no further.
const ROWS: i64 = 10_000;

/// Rows of a room that are looked at first, and each time after that twice as many: of most rooms few are new.
const FIRST: i64 = 16;

/// What is looked for.
struct Wish {
    authors: Authors,
    since: Time,
    limit: usize,
}

/// A room, as far down as it was walked. The greatest is the one to go on with.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Walked {
    /// When its newest row that was not looked at was written, and where.
    at: (Time, i64),
    /// That row's seq.
    seq: i64,
    room: RoomId,
    /// The first seq that the reader may see.
    from_seq: i64,
    /// How many rows to look at next.
    step: i64,
}

impl Answer<Recent> for Messages {
    async fn answer(&self, who: &Caller, call: Recent) -> Result<Recently, Refusal> {
        let reader = who.user()?.id;
        if !(1..=3650).contains(&call.days) {
            return Err(Refusal::invalid("days", "days is a number from 1 to 3650"));
        }
        let authors = match &call.from {
            None => Authors::AllBut(reader),
            Some(name) => {
                let sender = self.user(name).await?.ok_or_else(|| Refusal::not_found("no such user").about("from"))?;
                if sender.id == reader {
                    // Nothing that one sends oneself is by others.
                    return Ok(Recently { messages: Vec::new(), looked_at: 0 });
                }
                Authors::One(sender.id)
            }
        };
        let wish = Wish { authors, since: self.clock.now().minus(DAY * u32::from(call.days)), limit: call.limit.get() };
        let (rows, looked_at) = self.db.read_slowly(move |tx| Box::pin(async move { newest(tx, reader, &wish).await })).await?;
        Ok(Recently { messages: self.resolver.messages(rows, reader).await?, looked_at })
    }
}

/// The rows, and how many were looked at: a head of each room, and what was read of those that had something new.
async fn newest(tx: &mut Tx, reader: UserId, wish: &Wish) -> Result<(Vec<LogRow>, usize), Error> {
    let (mut rooms, mut looked_at) = (BinaryHeap::new(), 0);
    for stay in members::stays_now(tx, reader).await? {
        looked_at += 1;
        let head = log::head_row(tx, stay.room).await?;
        rooms.extend(head.and_then(|head| wish.walk(&head, stay.from_seq.max(1), FIRST)));
    }
    let (mut found, mut left) = (Vec::<LogRow>::new(), ROWS);
    while let Some(next) = rooms.pop() {
        if found.len() >= wish.limit && found.last().is_some_and(|oldest| order(oldest) > next.at) {
            break;
        }
        if left == 0 {
            // Something newer than these may lie where nobody has looked.
            found.retain(|row| order(row) > next.at);
            break;
        }
        if next.step == FIRST && !wish.may_be_in(tx, next.room).await? {
            left -= 1;
            continue;
        }
        let (rows, down_to) = wish.look(tx, &next, left).await?;
        left -= next.seq - down_to + 1;
        found.extend(rows);
        found.sort_by_key(|row| std::cmp::Reverse(order(row)));
        found.truncate(wish.limit);
        let below = log::newest_below(tx, next.room, down_to).await?;
        rooms.extend(below.and_then(|row| wish.walk(&row, next.from_seq, next.step * 2)));
    }
    Ok((found, looked_at + usize::try_from(ROWS - left).unwrap_or(0)))
}

fn order(row: &LogRow) -> (Time, i64) {
    (row.created_at, row.position)
}

impl Wish {
    /// A room to walk down from this row on; none if nothing that is wanted can be there.
    fn walk(&self, row: &HeadRow, from_seq: i64, step: i64) -> Option<Walked> {
        let is_wanted = row.created_at >= self.since && row.seq >= from_seq;
        is_wanted.then_some(Walked { at: (row.created_at, row.position), seq: row.seq, room: row.room, from_seq, step })
    }

    /// Whether a room may hold any: a sender who is not and never was in it has sent nothing to it.
    async fn may_be_in(&self, tx: &mut Tx, room: RoomId) -> Result<bool, Error> {
        match self.authors {
            Authors::One(sender) => Ok(members::find(tx, room, sender).await?.is_some()),
            Authors::AllBut(_) => Ok(true),
        }
    }

    /// Looks at the next rows of a room, but at most so many; answers what was found, and the seq of the last row that was looked at.
    async fn look(&self, tx: &mut Tx, room: &Walked, most: i64) -> Result<(Vec<LogRow>, i64), Error> {
        let from_seq = (room.seq - room.step.min(most) + 1).max(room.from_seq);
        let rows = log::messages_by(tx, room.room, (from_seq, room.seq), self.authors, self.since, self.limit).await?;
        // As soon as it has enough, the statement looks no further.
        let last = rows.last().filter(|_| rows.len() >= self.limit).and_then(|row| row.seq);
        Ok((rows, last.unwrap_or(from_seq)))
    }
}
