//! The messages of several threads at once.

use crate::service::Messages;
use crate::store::log::LogRow;
use crate::store::replies::{self, ThreadRows};
use crate::store::state::MessageKey;
use crate::store::{present, sets};
use crate::{access, resolve};
use contract::calls::threads::{OfThread, RepliesOf};
use contract::{Answer, Caller, Message, Placed, Refusal, RoomId, UserId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Most threads in one call.
const MOST: usize = 100;

/// Most bytes of bodies in one call, of all threads together: 1 MiB, as in [`contract::calls::messages::Histories`].
const BYTES: usize = 1 << 20;

impl Answer<RepliesOf> for Messages {
    async fn answer(&self, who: &Caller, call: RepliesOf) -> Result<Vec<OfThread<Placed<Message>>>, Refusal> {
        let reader = who.user()?.id;
        let RepliesOf { threads, after, limit } = call;
        if threads.len() > MOST {
            return Err(Refusal::invalid("threads", format!("threads: at most {MOST} at once, these are {}", threads.len())));
        }
        if after < 0 {
            return Err(Refusal::invalid("after", "after is a seq: a whole number, 0 or more"));
        }
        let wanted = threads.clone();
        let (rights, pages) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let rights = rights(tx, &wanted, reader).await?;
                    let may: Vec<MessageKey> = wanted.into_iter().filter(|(room, _)| matches!(rights.get(room), Some(Ok(())))).collect();
                    let pages = replies::of_each(tx, &may, after, limit.get(), BYTES).await?;
                    Ok((rights, attached(tx, pages, reader).await?))
                })
            })
            .await?;
        let mut people = HashSet::new();
        pages.iter().flat_map(|page| &page.rows).for_each(|row| row.people(&mut people));
        let names = self.names.of(people).await?;
        let mut pages = pages.into_iter();
        let mut of_thread = |room: RoomId| {
            rights.get(&room).cloned().unwrap_or_else(|| Err(Refusal::no_room()))?;
            let ThreadRows { rows, more } = pages.next().unwrap_or_default();
            let items = rows.into_iter().filter(LogRow::is_message).map(|row| {
                let message = resolve::message(row, &names, reader)?;
                Ok((message.seq.to_string(), message))
            });
            Ok(Placed { items: items.collect::<Result<_, Refusal>>()?, more })
        };
        Ok(threads.into_iter().map(|(room, thread)| OfThread { room, thread, answer: of_thread(room) }).collect())
    }
}

/// Whether the reader may read each of the rooms, or why not.
async fn rights(tx: &mut db::Tx, threads: &[MessageKey], reader: UserId) -> Result<HashMap<RoomId, Result<(), Refusal>>, db::Error> {
    let rooms: BTreeSet<RoomId> = threads.iter().map(|(room, _)| *room).collect();
    let pairs: Vec<_> = rooms.into_iter().map(|room| (room, reader)).collect();
    let found = sets::rooms_for_readers(tx, &pairs).await?;
    let right = |found: Option<sets::RoomForReader>| {
        let found = found.ok_or_else(Refusal::no_room)?;
        access::member_only(found.row.kind, found.read.is_some())
    };
    Ok(pairs.into_iter().zip(found).map(|((room, _), found)| (room, right(found))).collect())
}

/// The same rows, with what is told beside them.
async fn attached(tx: &mut db::Tx, pages: Vec<ThreadRows>, reader: UserId) -> Result<Vec<ThreadRows>, db::Error> {
    let (lengths, mores): (Vec<usize>, Vec<bool>) = pages.iter().map(|page| (page.rows.len(), page.more)).unzip();
    let mut rows: Vec<LogRow> = pages.into_iter().flat_map(|page| page.rows).collect();
    present::attach_for(tx, &mut rows, reader).await?;
    let mut rows = rows.into_iter();
    let page = |(length, more)| ThreadRows { rows: rows.by_ref().take(length).collect(), more };
    Ok(lengths.into_iter().zip(mores).map(page).collect())
}
