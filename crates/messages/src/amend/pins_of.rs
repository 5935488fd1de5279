//! The pinned messages of several rooms at once.

use crate::request::{after_pin, at_most};
use crate::service::Messages;
use crate::store::listed::{self, List, ListedRows};
use crate::store::log::LogRow;
use crate::store::{present, sets};
use crate::{access, resolve};
use contract::calls::messages::{OfRoom, PinsOf};
use contract::{Answer, Caller, Message, Placed, Refusal};
use std::collections::HashSet;

/// Most bytes of bodies in one call, of all rooms together: 1 MiB, as in [`contract::calls::messages::Histories`].
const BYTES: usize = 1 << 20;

impl Answer<PinsOf> for Messages {
    async fn answer(&self, who: &Caller, call: PinsOf) -> Result<Vec<OfRoom<Placed<Message>>>, Refusal> {
        let reader = who.user()?.id;
        at_most(100, &call.rooms)?;
        let (before, limit) = (after_pin(call.after)?, call.limit.get());
        let pairs: Vec<_> = call.rooms.iter().map(|room| (*room, reader)).collect();
        let (found, pins) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let found = sets::rooms_for_readers(tx, &pairs).await?;
                    let is_member = |room: &Option<sets::RoomForReader>| room.as_ref().is_some_and(|room| room.read.is_some());
                    let members: Vec<_> = pairs.iter().zip(&found).filter(|(_, room)| is_member(room)).map(|(pair, _)| *pair).collect();
                    let pins = listed::of_each(tx, List::Pins, &members, before, limit, BYTES).await?;
                    Ok((found, attached(tx, pins, reader).await?))
                })
            })
            .await?;
        let mut people = HashSet::new();
        pins.iter().flat_map(|pins| &pins.rows).for_each(|row| row.people(&mut people));
        let names = self.names.of(people).await?;
        let mut pins = pins.into_iter();
        let mut of_room = |found: Option<sets::RoomForReader>| {
            let found = found.ok_or_else(Refusal::no_room)?;
            access::member_only(found.row.kind, found.read.is_some())?;
            let ListedRows { rows, more } = pins.next().unwrap_or_default();
            let place = |row: &LogRow| List::Pins.place(row).map(|place| place.to_string());
            let items = rows.into_iter().filter(LogRow::is_message).filter_map(|row| Some((place(&row)?, row)));
            let items = items.map(|(place, row)| Ok((place, resolve::message(row, &names, reader)?)));
            Ok(Placed { items: items.collect::<Result<_, Refusal>>()?, more })
        };
        Ok(call.rooms.into_iter().zip(found).map(|(room, found)| OfRoom { room, answer: of_room(found) }).collect())
    }
}

/// The same rows, with what is told beside them.
async fn attached(tx: &mut db::Tx, pins: Vec<ListedRows>, reader: contract::UserId) -> Result<Vec<ListedRows>, db::Error> {
    let (lengths, mores): (Vec<usize>, Vec<bool>) = pins.iter().map(|pins| (pins.rows.len(), pins.more)).unzip();
    let mut rows: Vec<LogRow> = pins.into_iter().flat_map(|pins| pins.rows).collect();
    present::attach_for(tx, &mut rows, reader).await?;
    let mut rows = rows.into_iter();
    let page = |(length, more)| ListedRows { rows: rows.by_ref().take(length).collect(), more };
    Ok(lengths.into_iter().zip(mores).map(page).collect())
}
