//! The call: which rooms and whose messages to search, and the page that the caller gets.

use super::excerpt;
use super::place::Place;
use super::query::Query;
use super::walk::{self, Hits, Wish};
use crate::access;
use crate::service::Messages;
use crate::store::{members, rooms};
use contract::calls::messages::{Found, Search, Searched};
use contract::{Answer, Caller, Page, Refusal, RoomId, RoomKind, UserId};
use db::{Error, Tx};
use std::collections::HashSet;

/// What came of looking.
enum Looked {
    NoRoom,
    NotIn(RoomKind),
    Done(Hits),
}

impl Answer<Search> for Messages {
    async fn answer(&self, who: &Caller, call: Search) -> Result<Searched, Refusal> {
        let reader = who.user()?.id;
        let query = Query::read(&call.q)?;
        let before = call.before.map(|before| Place::read(&before, self.partitions.count())).transpose()?;
        let sender = match &call.from {
            None => None,
            Some(name) => Some(self.user(name).await?.ok_or_else(|| Refusal::not_found("no such user").about("from"))?.id),
        };
        let wish = Wish { query, rooms: HashSet::new(), sender, limit: call.limit.get() };
        let (room, partitions) = (call.room, self.partitions);
        let looked = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let rooms = match in_rooms(tx, room, reader).await? {
                        Ok(rooms) => rooms,
                        Err(refused) => return Ok(refused),
                    };
                    let parts = match room {
                        Some(room) => partitions.of_room(room)..partitions.of_room(room) + 1,
                        None => partitions.all(),
                    };
                    walk::walk(tx, partitions, parts, &Wish { rooms, ..wish }, before.as_ref()).await.map(Looked::Done)
                })
            })
            .await?;
        let Hits { hits, next, looked_at } = match looked {
            Looked::NoRoom => return Err(Refusal::no_room()),
            Looked::NotIn(kind) => return Err(access::member_only(kind, false).err().unwrap_or_else(Refusal::no_room)),
            Looked::Done(hits) => hits,
        };
        let excerpts: Vec<_> = hits.iter().map(|hit| excerpt::of(hit.row.payload.as_deref().unwrap_or_default(), &hit.ranges)).collect();
        let messages = self.resolver.messages(hits.into_iter().map(|hit| hit.row).collect(), reader).await?;
        let items = messages.into_iter().zip(excerpts).map(|(message, excerpt)| Found { message, excerpt }).collect();
        Ok(Searched { page: Page { items, next: next.map(|next| next.text()) }, looked_at })
    }
}

/// The rooms to look in: the one that is asked for, or all that the reader is in now.
async fn in_rooms(tx: &mut Tx, room: Option<RoomId>, reader: UserId) -> Result<Result<HashSet<RoomId>, Looked>, Error> {
    let Some(room) = room else {
        return Ok(Ok(members::stays_now(tx, reader).await?.into_iter().map(|stay| stay.room).collect()));
    };
    let Some(row) = rooms::find(tx, room).await? else { return Ok(Err(Looked::NoRoom)) };
    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
    Ok(if is_member { Ok(HashSet::from([room])) } else { Err(Looked::NotIn(row.kind)) })
}
