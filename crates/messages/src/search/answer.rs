//! The call: which rooms and whose messages to search, and the page that the caller gets.

use super::cursor::SearchCursor;
use super::excerpt;
use super::filters::Filters;
use super::query::Query;
use super::walk::{self, Criteria, Hit, Hits};
use crate::access;
use crate::service::Messages;
use crate::store::log::LogRow;
use crate::store::{members, present, rooms};
use contract::calls::messages::{Found, Search, Searched};
use contract::{Answer, Caller, Page, Refusal, RoomId, RoomKind, UserId, Username};
use db::{Error, Tx};
use std::collections::HashSet;

/// What the transaction answers.
enum Outcome {
    NoRoom,
    NotIn(RoomKind),
    Done(Hits),
}

impl Answer<Search> for Messages {
    async fn answer(&self, who: &Caller, call: Search) -> Result<Searched, Refusal> {
        let reader = who.user()?.id;
        let sender = sender(&call)?;
        if call.thread.is_some() && call.room.is_none() {
            return Err(Refusal::invalid("thread", "a thread is one of a room; give room too"));
        }
        let has_filter = sender.is_some() || call.pinned || call.thread.is_some() || call.mentions_me;
        let query = match call.q.as_str() {
            "" if has_filter => None,
            "" => {
                return Err(Refusal::invalid(
                    "q",
                    "q is what to look for; only with sender, thread, mentions or pinned it may be left out",
                ));
            }
            q => Some(Query::read(q)?),
        };
        let before = call.before.as_deref().map(|before| SearchCursor::read(before, self.partitions.count())).transpose()?;
        let sender = match sender {
            None => None,
            Some((field, name)) => Some(self.user(name).await?.ok_or_else(|| Refusal::not_found("no such user").about(field))?.id),
        };
        let filters = Filters { sender, pinned: call.pinned, thread: call.thread, mentions: call.mentions_me.then_some(reader) };
        let criteria = Criteria { query, rooms: HashSet::new(), filters, limit: call.limit.get() };
        let (room, partitions) = (call.room, self.partitions);
        let outcome = self
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
                    let mut found = walk::walk(tx, partitions, parts, &Criteria { rooms, ..criteria }, before.as_ref()).await?;
                    let mut rows: Vec<LogRow> = Vec::with_capacity(found.hits.len());
                    let mut ranges = Vec::with_capacity(found.hits.len());
                    for hit in found.hits.drain(..) {
                        rows.push(hit.row);
                        ranges.push(hit.ranges);
                    }
                    present::attach_for(tx, &mut rows, reader).await?;
                    found.hits = rows.into_iter().zip(ranges).map(|(row, ranges)| Hit { row, ranges }).collect();
                    Ok(Outcome::Done(found))
                })
            })
            .await?;
        let Hits { hits, next, looked_at } = match outcome {
            Outcome::NoRoom => return Err(Refusal::no_room()),
            Outcome::NotIn(kind) => return Err(access::member_only(kind, false).err().unwrap_or_else(Refusal::no_room)),
            Outcome::Done(hits) => hits,
        };
        let excerpts: Vec<_> = hits.iter().map(|hit| excerpt::of(hit.row.body_now(), &hit.ranges)).collect();
        let messages = self.resolver.messages(hits.into_iter().map(|hit| hit.row).collect(), reader).await?;
        let items = messages.into_iter().zip(excerpts).map(|(message, excerpt)| Found { message, excerpt }).collect();
        Ok(Searched { page: Page { items, next: next.map(|next| next.text()) }, looked_at })
    }
}

/// The sender that the call names, and the field with the name.
fn sender(call: &Search) -> Result<Option<(&'static str, &Username)>, Refusal> {
    match (&call.sender, &call.from) {
        (Some(sender), Some(from)) if sender != from => {
            Err(Refusal::invalid("sender", "sender and from are the same filter, and here they name two users; give one of them"))
        }
        (Some(sender), _) => Ok(Some(("sender", sender))),
        (None, from) => Ok(from.as_ref().map(|from| ("from", from))),
    }
}

/// The rooms to search: the one that the call names, or all that the reader is in now.
async fn in_rooms(tx: &mut Tx, room: Option<RoomId>, reader: UserId) -> Result<Result<HashSet<RoomId>, Outcome>, Error> {
    let Some(room) = room else {
        return Ok(Ok(members::open_memberships(tx, reader).await?.into_iter().map(|membership| membership.room).collect()));
    };
    let Some(row) = rooms::find(tx, room).await? else { return Ok(Err(Outcome::NoRoom)) };
    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
    Ok(if is_member { Ok(HashSet::from([room])) } else { Err(Outcome::NotIn(row.kind)) })
}
