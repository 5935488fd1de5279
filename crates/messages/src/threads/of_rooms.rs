//! The threads of several rooms at once.

use super::view::{self, RawThread};
use crate::access;
use crate::request::{at_most, bad_after};
use crate::service::Messages;
use crate::store::listed::{self, List};
use crate::store::log::LogRow;
use crate::store::sets;
use contract::calls::messages::OfRoom;
use contract::calls::threads::ThreadsOf;
use contract::{Answer, Caller, Placed, Refusal};

/// Most bytes of bodies in one call, of all rooms together: 1 MiB, as in [`contract::calls::messages::Histories`].
const BYTES: usize = 1 << 20;

impl Answer<ThreadsOf> for Messages {
    async fn answer(&self, who: &Caller, call: ThreadsOf) -> Result<<ThreadsOf as contract::Call>::Reply, Refusal> {
        let reader = who.user()?.id;
        at_most(100, &call.rooms)?;
        let ThreadsOf { rooms, after, limit } = call;
        let before = after.map_or(Ok(i64::MAX), |after| after.parse().map_err(|_| bad_after()))?;
        let pairs: Vec<_> = rooms.iter().map(|room| (*room, reader)).collect();
        let (found, pages, raw) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let found = sets::rooms_for_readers(tx, &pairs).await?;
                    let is_member = |room: &Option<sets::RoomForReader>| room.as_ref().is_some_and(|room| room.read.is_some());
                    let members: Vec<_> = pairs.iter().zip(&found).filter(|(_, room)| is_member(room)).map(|(pair, _)| *pair).collect();
                    let listed = listed::of_each(tx, List::Threads, &members, before, limit.get(), BYTES).await?;
                    // What this program does not know is left out here, so that the pages can be cut out of the whole again.
                    let known = |rows: &[LogRow]| rows.iter().filter(|row| row.is_message()).count();
                    let pages: Vec<(usize, bool)> = listed.iter().map(|listed| (known(&listed.rows), listed.more)).collect();
                    let rows = listed.into_iter().flat_map(|listed| listed.rows).collect();
                    Ok((found, pages, view::beginning_with(tx, rows, reader).await?))
                })
            })
            .await?;
        let places: Vec<String> = raw.iter().map(RawThread::place_in_room).collect();
        let mut threads = places.into_iter().zip(self.threads(raw, reader).await?);
        let mut pages = pages.into_iter();
        let mut of_room = |found: Option<sets::RoomForReader>| {
            let found = found.ok_or_else(Refusal::no_room)?;
            access::member_only(found.row.kind, found.read.is_some())?;
            let (length, more) = pages.next().unwrap_or_default();
            Ok(Placed { items: threads.by_ref().take(length).collect(), more })
        };
        Ok(rooms.into_iter().zip(found).map(|(room, found)| OfRoom { room, answer: of_room(found) }).collect())
    }
}
