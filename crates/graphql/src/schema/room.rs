//! RoomBatch.

use super::message::{self, Message, Messages};
use super::scalars::{DateTime, Kind};
use super::thread::{self, Threads};
use super::user::{User, Users};
use crate::batch_loader::{FoundRoom, MessageRange, MessageRooms, RoomBatch};
use crate::paging::{limit, seq, times};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, ID, Json, Object, Result};
use contract::{Metadata, Refusal, RoomId};
use std::sync::Arc;

/// A room among those that were found with it.
pub(crate) struct Room {
    seen: Arc<FoundRoom>,
    group: Arc<RoomBatch>,
}

impl Room {
    pub(crate) fn new(seen: &Arc<FoundRoom>, group: &Arc<RoomBatch>) -> Self {
        Self { seen: Arc::clone(seen), group: Arc::clone(group) }
    }

    /// One of the rooms that messages are in; none where the user cannot see it any more.
    pub(crate) async fn among(whereabouts: &MessageRooms, context: &RequestContext, room: RoomId) -> Result<Option<Self>, Refusal> {
        let rooms = whereabouts.rooms(context).await?;
        Ok(rooms.find(room).map(|room| Self::new(room, &rooms)))
    }

    /// Where its messages are: in the rooms that were found with it.
    fn whereabouts(&self) -> Arc<MessageRooms> {
        Arc::new(MessageRooms::Known(Arc::clone(&self.group)))
    }
}

/// A room, as you see it now.
#[Object]
impl Room {
    /// The id: a UUID.
    async fn id(&self) -> ID {
        self.seen.room.id.to_string().into()
    }

    /// Direct, group or channel.
    async fn kind(&self) -> Kind {
        self.seen.room.kind.into()
    }

    /// The name; a direct room has none, a group may have one, a channel has one.
    async fn name(&self) -> Option<&str> {
        self.seen.room.name.as_ref().map(|name| name.as_str())
    }

    /// What it is about.
    async fn topic(&self) -> Option<&str> {
        self.seen.room.topic.as_ref().map(|topic| topic.as_str())
    }

    /// What the application noted on it.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Option<Json<&Metadata>>> {
        let Some(metadata) = &self.seen.room.metadata else { return Ok(None) };
        Ok(RequestContext::of(ctx)?.tell_bytes(metadata.bytes()).then_some(Json(metadata)))
    }

    /// The seq of the last change of its name, topic or metadata; 0 when there was none.
    async fn rev(&self) -> i64 {
        self.seen.room.rev
    }

    /// The room's owner: its creator, or, since the owner left, who has been a member the longest. Null only with an error.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::of(self.group.last_messages().people(), RequestContext::of(ctx)?, &self.seen.room.created_by).await.map(Some).map_err(refuse)
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.seen.room.created_at)
    }

    /// How many members there are.
    async fn member_count(&self) -> i64 {
        self.seen.room.member_count
    }

    /// The newest seq, 0 when the room is new.
    async fn head(&self) -> i64 {
        self.seen.room.head
    }

    /// Up to where you have read; 0 where you are not a member.
    async fn read(&self) -> i64 {
        self.seen.room.read
    }

    /// How many messages of others lie past that; 0 where you are not a member.
    async fn unread(&self) -> i64 {
        self.seen.room.unread
    }

    /// How many messages that you have not read mention you, by name or with everybody: those past `read`, and in threads those past your mark
    /// there. Counted up to 1,000.
    async fn mentions(&self) -> i64 {
        self.seen.room.mentions
    }

    /// How many of the threads that you follow have something unread.
    async fn unread_threads(&self) -> i64 {
        self.seen.room.unread_threads
    }

    /// The newest message outside threads; null where there is none, and for a channel that you have not joined.
    async fn last_message(&self) -> Option<Message> {
        self.seen.last.clone().map(|message| Message::new(message, self.group.last_messages(), &self.whereabouts()))
    }

    /// The members, those who have been in it the longest first. A channel that you have not joined refuses with `forbidden`.
    #[graphql(complexity = "1 + times(&[first], 50) * child_complexity")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<Option<Users>> {
        let limit = limit("first", first).map_err(refuse)?;
        let goes_on = after.is_some();
        let context = RequestContext::of(ctx)?;
        let (page, people) = self.group.members(context, self.seen.room.id, after, limit).await.map_err(refuse)?;
        let mut members = Connection::new(goes_on, page.more);
        for (place, member) in page.items {
            // The page has no word about who is online.
            members.edges.push(Edge::new(place, User::of(&people, context, &member.username).await.map_err(refuse)?));
        }
        Ok(Some(members))
    }

    /// The messages, in their order, without those that stand in threads alone. Page forward with `first` and `after`, backward with `last` and `before`; without any of them these are
    /// the newest 50. A message's cursor is its seq. A page of very long messages ends early: `pageInfo` says whether there are more. A
    /// channel that you have not joined refuses with `forbidden`.
    #[graphql(complexity = "1 + times(&[first, last], 50) * child_complexity")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The oldest: 1-100.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The newest: 1-100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Option<Messages>> {
        let which = which(first, after, last, before).map_err(refuse)?;
        let (found, batch) = self.group.messages(RequestContext::of(ctx)?, self.seen.room.id, which).await.map_err(refuse)?;
        Ok(Some(message::stretch(found, &batch, &self.group)))
    }

    /// The pinned messages, the newest pin first. A page of very long messages ends early: `pageInfo` says whether there are more. A channel that
    /// you have not joined refuses with `forbidden`.
    #[graphql(complexity = "1 + times(&[first], 50) * child_complexity")]
    async fn pins(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<Option<Messages>> {
        let limit = limit("first", first).map_err(refuse)?;
        let goes_on = after.is_some();
        let (page, batch) = self.group.pins(RequestContext::of(ctx)?, self.seen.room.id, after, limit).await.map_err(refuse)?;
        Ok(Some(message::placed(page, goes_on, &batch, &self.whereabouts())))
    }

    /// The threads, the one with the newest message first. A thread of which every message was deleted is left out. A page ends early where the
    /// first messages are very long: `pageInfo` says whether there are more. A channel that you have not joined refuses with `forbidden`.
    #[graphql(complexity = "1 + times(&[first], 50) * child_complexity")]
    async fn threads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<Option<Threads>> {
        let limit = limit("first", first).map_err(refuse)?;
        let goes_on = after.is_some();
        let (page, batch) = self.group.threads(RequestContext::of(ctx)?, self.seen.room.id, after, limit).await.map_err(refuse)?;
        Ok(Some(thread::placed(page, goes_on, &batch, &self.whereabouts())))
    }
}

fn which(first: Option<i32>, after: Option<String>, last: Option<i32>, before: Option<String>) -> Result<MessageRange, Refusal> {
    if first.is_some() && last.is_some() {
        return Err(Refusal::invalid("last", "give first or last, not both"));
    }
    let newest = last.is_some() || (first.is_none() && after.is_none());
    let limit = match (first, last) {
        (Some(_), _) => limit("first", first)?,
        _ => limit("last", last)?,
    };
    let after = after.map(|cursor| seq("after", &cursor)).transpose()?.unwrap_or(0);
    let before = before.map(|cursor| seq("before", &cursor)).transpose()?;
    Ok(MessageRange { after, before, newest, limit: limit.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_arguments_go_together() {
        let text = |text: &str| Some(text.to_owned());
        let newest = which(None, None, None, None).unwrap();
        assert!(newest.newest && newest.limit == 50);
        assert!(!which(None, text("7"), None, None).unwrap().newest);
        assert!(which(None, text("7"), Some(3), text("9")).unwrap().newest);
        assert!(!which(Some(3), None, None, text("9")).unwrap().newest);
        for (wrong, field) in [
            (which(Some(1), None, Some(1), None), "last"),
            (which(Some(0), None, None, None), "first"),
            (which(None, None, Some(101), None), "last"),
            (which(None, text("x"), None, None), "after"),
            (which(None, None, None, text("-1")), "before"),
            (which(None, text("+1"), None, None), "after"),
            (which(None, None, None, text("007")), "before"),
            (which(None, None, None, text("")), "before"),
        ] {
            assert_eq!(wrong.err().unwrap().field.unwrap(), field);
        }
    }
}
