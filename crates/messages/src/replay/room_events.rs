//! The durable events of one room after a seq: for a client that has noticed a gap, or a reader that follows one room.

use crate::membership::must_be_member;
use crate::service::Messages;
use crate::store::{log, present};
use contract::calls::messages::RoomEvents;
use contract::log::Event;
use contract::message::nonce_for_reader;
use contract::{Answer, Caller, Page, Refusal};

/// Most events of a page.
const MOST: u16 = 500;

/// A page ends after so many bytes of text: 1 MiB, as in a search.
const BYTES: usize = 1 << 20;

/// Rows that are read at a time. More could be a lot of text.
const CHUNK: i64 = 64;

impl Answer<RoomEvents> for Messages {
    async fn answer(&self, who: &Caller, call: RoomEvents) -> Result<Page<Event>, Refusal> {
        let reader = who.user()?.id;
        let RoomEvents { room, after, limit } = call;
        if after < 0 {
            return Err(Refusal::invalid("after", "after is a seq: a whole number, 0 or more"));
        }
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::invalid("limit", format!("limit is a number from 1 to {MOST}")));
        }
        let (rows, more) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    if let Err(refusal) = must_be_member(tx, room, reader).await? {
                        return Ok(Err(refusal));
                    }
                    let (mut rows, mut bytes, mut last, mut more) = (Vec::new(), 0, after, true);
                    while more && rows.len() < usize::from(limit) && bytes < BYTES {
                        let wanted = CHUNK.min(i64::from(limit) - rows.len() as i64);
                        let mut chunk = log::of_room_after(tx, room, last, wanted + 1).await?;
                        more = chunk.len() as i64 > wanted;
                        chunk.truncate(usize::try_from(wanted).unwrap_or(0));
                        present::attach(tx, &mut chunk).await?;
                        for row in chunk {
                            if bytes >= BYTES {
                                more = true;
                                break;
                            }
                            bytes += row.bytes_told();
                            last = row.seq.unwrap_or(last);
                            rows.push(row);
                        }
                    }
                    Ok(Ok((rows, more)))
                })
            })
            .await??;
        let next = rows.last().and_then(|row| row.seq).filter(|_| more).map(|last| last.to_string());
        let mut items: Vec<Event> = self.resolver.entries(rows).await?.into_iter().map(|entry| entry.event).collect();
        for event in &mut items {
            if let Event::NewMessage { sender, message } = event {
                message.nonce = nonce_for_reader(message.nonce.take(), sender.id == reader);
            }
        }
        Ok(Page { items, next })
    }
}
