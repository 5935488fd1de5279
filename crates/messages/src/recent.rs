//! Messages that others sent to the caller: those of the rooms that the caller is in, since joining each, newest first.
//!
//! Only the rooms where something happened lately are read: rooms are taken in the order of their newest row, and reading stops when
//! no further room can hold anything newer than what was found.

use crate::service::Messages;
use crate::store::log::{self, HeadRow, LogRow};
use crate::store::members;
use contract::calls::messages::{Recent, Recently};
use contract::{Answer, Caller, Refusal, RoomId, Time, UserId};
use db::{Error, Tx};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Answer<Recent> for Messages {
    async fn answer(&self, who: &Caller, call: Recent) -> Result<Recently, Refusal> {
        let reader = who.user()?.id;
        if !(1..=3650).contains(&call.days) {
            return Err(Refusal::invalid("days", "days is a number from 1 to 3650"));
        }
        let sender = match &call.from {
            None => None,
            Some(name) => {
                let sender = self.user(name).await?.ok_or_else(|| Refusal::not_found("no such user").about("from"))?;
                if sender.id == reader {
                    // Nothing that one sends oneself is by others.
                    return Ok(Recently { messages: Vec::new(), looked_at: 0 });
                }
                Some(sender.id)
            }
        };
        let since = self.clock.now().minus(DAY * u32::from(call.days));
        let limit = call.limit.get();
        let (rows, looked_at) = self.db.read_slowly(move |tx| Box::pin(newest(tx, reader, sender, since, limit))).await?;
        Ok(Recently { messages: self.resolver.messages(rows, reader).await?, looked_at })
    }
}

/// The rows, and how many were looked at: a head of each room, and what was read of those that had something new.
async fn newest(tx: &mut Tx, reader: UserId, sender: Option<UserId>, since: Time, limit: usize) -> Result<(Vec<LogRow>, usize), Error> {
    let mut rooms: Vec<(HeadRow, i64)> = Vec::new();
    let mut looked_at = 0;
    for stay in members::stays_now(tx, reader).await? {
        looked_at += 1;
        if let Some(head) = log::head_row(tx, stay.room).await?.filter(|head| head.created_at >= since) {
            rooms.push((head, stay.from_seq.max(1)));
        }
    }
    rooms.sort_by_key(|(head, _)| std::cmp::Reverse((head.created_at, head.position)));
    let mut found: Vec<LogRow> = Vec::new();
    for (head, from_seq) in rooms {
        let full = found.len() >= limit;
        if full && found.last().is_some_and(|oldest| (oldest.created_at, oldest.position) > (head.created_at, head.position)) {
            break;
        }
        let of_room = of_room(tx, head.room, from_seq, head.seq, reader, sender, since, limit).await?;
        looked_at += of_room.len();
        found.extend(of_room);
        found.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.position)));
        found.truncate(limit);
    }
    Ok((found, looked_at))
}

#[allow(clippy::too_many_arguments)]
async fn of_room(
    tx: &mut Tx,
    room: RoomId,
    from_seq: i64,
    head: i64,
    reader: UserId,
    sender: Option<UserId>,
    since: Time,
    limit: usize,
) -> Result<Vec<LogRow>, Error> {
    // A sender who is not and never was in the room has sent nothing to it.
    if let Some(sender) = sender
        && members::find(tx, room, sender).await?.is_none()
    {
        return Ok(Vec::new());
    }
    let from = log::first_seq_since(tx, room, from_seq, head, since).await?;
    log::messages_of_others(tx, room, from, reader, sender, limit as i64).await
}
