//! Messages of others in the caller's rooms since the caller joined each, newest first.
//!
//! All rooms are walked from their newest rows down. The next room is always the one whose next row is the newest, until the page is full and
//! nothing newer can come. Own messages are skipped, and there may be any number of them, so one call looks at a bounded number of rows. If
//! that bound ends the walk, the answer holds everything down to that point and nothing older.

use crate::service::Messages;
use crate::store::log::{self, Authors, HeadRow, LogRow};
use crate::store::members::{self, OpenMembership, SeqRange};
use crate::store::present;
use contract::calls::messages::{Recent, Recently};
use contract::{Answer, Caller, Refusal, RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashSet};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Most rows that one call looks at, besides the newest of each room: some 10 to 20 ms. There is no next page, so nothing older is found.
const ROWS: i64 = 10_000;

/// Rows of a room that are looked at first; each later step looks at twice as many. Most rooms have few new rows.
const FIRST: i64 = 16;

/// Rooms that are read together on a shared database, to save round trips. More would be wasted, since a page mostly comes from a few rooms.
const AT_ONCE: usize = 16;

/// Which messages are wanted.
struct Criteria {
    authors: Authors,
    since: Time,
    limit: usize,
}

/// A room that is being walked down. The greatest one is next.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Walked {
    /// The time and the position of its newest row that was not looked at yet.
    at: (Time, i64),
    /// That row's seq.
    seq: i64,
    room: RoomId,
    /// The first seq that the reader may see.
    from_seq: i64,
    /// How many rows to look at next.
    step: i64,
    /// The seq of the last of them, once that is known.
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
                    // Own messages are never part of the answer.
                    return Ok(Recently { messages: Vec::new(), looked_at: 0 });
                }
                Authors::One(sender.id)
            }
        };
        let criteria = Criteria { authors, since: self.clock.now().minus(DAY * u32::from(call.days)), limit: call.limit.get() };
        let (rows, looked_at) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let (mut rows, looked_at) = newest(tx, reader, &criteria).await?;
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok((rows, looked_at))
                })
            })
            .await?;
        Ok(Recently { messages: self.resolver.messages(rows, reader).await?, looked_at })
    }
}

/// The rows, and how many were looked at: the newest of each room, and those that were read in rooms with new ones.
async fn newest(tx: &mut Tx, reader: UserId, criteria: &Criteria) -> Result<(Vec<LogRow>, usize), Error> {
    let memberships = members::open_memberships(tx, reader).await?;
    let heads = log::head_row_each(tx, &memberships.iter().map(|membership| membership.room).collect::<Vec<_>>()).await?;
    let walk = |(membership, head): (&OpenMembership, Option<HeadRow>)| criteria.walk(&head?, membership.from_seq.max(1), FIRST);
    let mut rooms: BinaryHeap<Walked> = memberships.iter().zip(heads).filter_map(walk).collect();
    let at_once = if tx.is_shared() { AT_ONCE } else { 1 };
    let (mut found, mut left) = (Vec::<LogRow>::new(), ROWS);
    loop {
        let mut next = Vec::new();
        while next.len() < at_once
            && let Some(room) = rooms.peek_mut()
        {
            if found.len() >= criteria.limit && found.last().is_some_and(|oldest| order(oldest) > room.at) {
                break;
            }
            next.push(PeekMut::pop(room));
        }
        let Some(newest) = next.first().map(|room| room.at) else { break };
        if left == 0 {
            // Rows that were not looked at may be newer than these.
            found.retain(|row| order(row) > newest);
            break;
        }
        criteria.keep_those_it_may_be_in(tx, &mut next, &mut left).await?;
        let (looked, unlooked) = criteria.look(tx, next, &mut left).await?;
        rooms.extend(unlooked);
        let places: Vec<_> = looked.iter().map(|(room, rows)| (room.room, criteria.down_to(room, rows))).collect();
        let below = log::newest_below_each(tx, &places).await?;
        for ((room, rows), below) in looked.into_iter().zip(below) {
            left += criteria.down_to(&room, &rows) - room.from;
            found.extend(rows);
            rooms.extend(below.and_then(|row| criteria.walk(&row, room.from_seq, room.step * 2)));
        }
        found.sort_by_key(|row| std::cmp::Reverse(order(row)));
        found.truncate(criteria.limit);
    }
    Ok((found, memberships.len() + usize::try_from(ROWS - left).unwrap_or(0)))
}

fn order(row: &LogRow) -> (Time, i64) {
    (row.created_at, row.position)
}

impl Criteria {
    /// A room to walk down from this row on; none if no wanted message can be there.
    fn walk(&self, row: &HeadRow, from_seq: i64, step: i64) -> Option<Walked> {
        let is_wanted = row.created_at >= self.since && row.seq >= from_seq;
        is_wanted.then_some(Walked { at: (row.created_at, row.position), seq: row.seq, room: row.room, from_seq, step, from: 0 })
    }

    /// Removes the rooms in which the wanted sender was never a member. Each room that is removed counts as a row.
    async fn keep_those_it_may_be_in(&self, tx: &mut Tx, rooms: &mut Vec<Walked>, left: &mut i64) -> Result<(), Error> {
        let Authors::One(sender) = self.authors else { return Ok(()) };
        let keys: Vec<_> = rooms.iter().filter(|room| room.step == FIRST).map(|room| (room.room, sender)).collect();
        let found = members::find_each(tx, &keys).await?;
        let without: HashSet<RoomId> = keys.iter().zip(found).filter(|(_, member)| member.is_none()).map(|((room, _), _)| *room).collect();
        rooms.retain(|room| !without.contains(&room.room));
        *left = (*left - i64::try_from(without.len()).unwrap_or(0)).max(0);
        Ok(())
    }

    /// Looks at the next rows of these rooms, as far as the bound allows. Answers what was found in each, and the rooms that were not looked
    /// at.
    async fn look(&self, tx: &mut Tx, rooms: Vec<Walked>, left: &mut i64) -> Result<(Vec<(Walked, Vec<LogRow>)>, Vec<Walked>), Error> {
        let (mut looked, mut unlooked) = (Vec::new(), Vec::new());
        for mut room in rooms {
            room.from = (room.seq - room.step.min(*left) + 1).max(room.from_seq);
            *left -= room.seq - room.from + 1;
            if room.from > room.seq { unlooked.push(room) } else { looked.push(room) }
        }
        let ranges: Vec<_> = looked.iter().map(|room| SeqRange { room: room.room, from: room.from, to: room.seq }).collect();
        let found = log::messages_by_each(tx, &ranges, self.authors, self.since, self.limit).await?;
        Ok((looked.into_iter().zip(found).collect(), unlooked))
    }

    /// The seq of the last row that was looked at: the statement stops as soon as it has enough rows.
    fn down_to(&self, room: &Walked, rows: &[LogRow]) -> i64 {
        rows.last().filter(|_| rows.len() >= self.limit).and_then(|row| row.seq).unwrap_or(room.from)
    }
}
