//! Messages that others sent to the caller: those of the rooms that the caller is in, since joining each, newest first.
//!
//! The rooms are walked down together, always the one whose next row is the newest, until the page is full and nothing newer can come. Own
//! messages are passed over on the way, and there may be any number of them, so one call looks at a bounded number of rows. Where that ends
//! the walk, the answer holds what was found down to there and nothing older: it may lack what is old, but nothing newer than what it has.

use crate::service::Messages;
use crate::store::log::{self, Authors, HeadRow, LogRow};
use crate::store::members::{self, Seen, Stretch};
use contract::calls::messages::{Recent, Recently};
use contract::{Answer, Caller, Refusal, RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashSet};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Rows that one call looks at, besides the newest of each room: some 10 to 20 ms. The answer has no next page, so it looks back no further.
const ROWS: i64 = 10_000;

/// Rows of a room that are looked at first, and each time after that twice as many: of most rooms few are new.
const FIRST: i64 = 16;

/// Rooms that are looked into at once on a database that is some way off: mostly a page comes from a few, and what is read beyond it was for
/// nothing.
const AT_ONCE: usize = 16;

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
    /// The last of them, once that is known.
    from: i64,
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
    let stays = members::stays_now(tx, reader).await?;
    let heads = log::head_row_each(tx, &stays.iter().map(|stay| stay.room).collect::<Vec<_>>()).await?;
    let walk = |(stay, head): (&Seen, Option<HeadRow>)| wish.walk(&head?, stay.from_seq.max(1), FIRST);
    let mut rooms: BinaryHeap<Walked> = stays.iter().zip(heads).filter_map(walk).collect();
    let at_once = if tx.is_shared() { AT_ONCE } else { 1 };
    let (mut found, mut left) = (Vec::<LogRow>::new(), ROWS);
    loop {
        let mut next = Vec::new();
        while next.len() < at_once
            && let Some(room) = rooms.peek_mut()
        {
            if found.len() >= wish.limit && found.last().is_some_and(|oldest| order(oldest) > room.at) {
                break;
            }
            next.push(PeekMut::pop(room));
        }
        let Some(newest) = next.first().map(|room| room.at) else { break };
        if left == 0 {
            // Something newer than these may lie where nobody has looked.
            found.retain(|row| order(row) > newest);
            break;
        }
        wish.keep_those_it_may_be_in(tx, &mut next, &mut left).await?;
        let (looked, unlooked) = wish.look(tx, next, &mut left).await?;
        rooms.extend(unlooked);
        let places: Vec<_> = looked.iter().map(|(room, rows)| (room.room, wish.down_to(room, rows))).collect();
        let below = log::newest_below_each(tx, &places).await?;
        for ((room, rows), below) in looked.into_iter().zip(below) {
            left += wish.down_to(&room, &rows) - room.from;
            found.extend(rows);
            rooms.extend(below.and_then(|row| wish.walk(&row, room.from_seq, room.step * 2)));
        }
        found.sort_by_key(|row| std::cmp::Reverse(order(row)));
        found.truncate(wish.limit);
    }
    Ok((found, stays.len() + usize::try_from(ROWS - left).unwrap_or(0)))
}

fn order(row: &LogRow) -> (Time, i64) {
    (row.created_at, row.position)
}

impl Wish {
    /// A room to walk down from this row on; none if nothing that is wanted can be there.
    fn walk(&self, row: &HeadRow, from_seq: i64, step: i64) -> Option<Walked> {
        let is_wanted = row.created_at >= self.since && row.seq >= from_seq;
        is_wanted.then_some(Walked { at: (row.created_at, row.position), seq: row.seq, room: row.room, from_seq, step, from: 0 })
    }

    /// Keeps the rooms that may hold any: a sender who is not and never was in one has sent nothing to it. What is asked is paid for.
    async fn keep_those_it_may_be_in(&self, tx: &mut Tx, rooms: &mut Vec<Walked>, left: &mut i64) -> Result<(), Error> {
        let Authors::One(sender) = self.authors else { return Ok(()) };
        let keys: Vec<_> = rooms.iter().filter(|room| room.step == FIRST).map(|room| (room.room, sender)).collect();
        let found = members::find_each(tx, &keys).await?;
        let without: HashSet<RoomId> = keys.iter().zip(found).filter(|(_, member)| member.is_none()).map(|((room, _), _)| *room).collect();
        rooms.retain(|room| !without.contains(&room.room));
        *left = (*left - i64::try_from(without.len()).unwrap_or(0)).max(0);
        Ok(())
    }

    /// Looks at the next rows of these rooms, as far as they may be paid for; answers what was found in each, and the rooms that nobody has
    /// looked into.
    async fn look(&self, tx: &mut Tx, rooms: Vec<Walked>, left: &mut i64) -> Result<(Vec<(Walked, Vec<LogRow>)>, Vec<Walked>), Error> {
        let (mut looked, mut unlooked) = (Vec::new(), Vec::new());
        for mut room in rooms {
            room.from = (room.seq - room.step.min(*left) + 1).max(room.from_seq);
            *left -= room.seq - room.from + 1;
            if room.from > room.seq { unlooked.push(room) } else { looked.push(room) }
        }
        let stretches: Vec<_> = looked.iter().map(|room| Stretch { room: room.room, from: room.from, to: room.seq }).collect();
        let found = log::messages_by_each(tx, &stretches, self.authors, self.since, self.limit).await?;
        Ok((looked.into_iter().zip(found).collect(), unlooked))
    }

    /// The seq of the last row that was looked at: as soon as it has enough, the statement looks no further.
    fn down_to(&self, room: &Walked, rows: &[LogRow]) -> i64 {
        rows.last().filter(|_| rows.len() >= self.limit).and_then(|row| row.seq).unwrap_or(room.from)
    }
}
