//! Messages.

use super::mentions::Mentions;
use super::reaction::{Reaction, Reactions};
use super::room::Room;
use super::scalars::{DateTime, TextFormat};
use super::thread_info::ThreadInfo;
use super::user::User;
use crate::batch_loader::{MessageNow, MessageRooms, RoomBatch, SharedStretch};
use crate::message_batch::MessageBatch;
use crate::paging::{limit, seq, times};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use crate::shared_page::SharedPage;
use crate::user_batch::UserBatch;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Json, Object, Result};
use contract::{Metadata, Username};
use std::sync::Arc;

/// A message among those that were found with it.
pub(crate) struct Message {
    message: Arc<contract::Message>,
    batch: Arc<MessageBatch>,
    whereabouts: Arc<MessageRooms>,
    /// Where its reactions, its pin and its thread are, if an event has told it, which leaves them out.
    now: Option<Arc<MessageNow>>,
}

impl Message {
    pub(crate) fn new(message: Arc<contract::Message>, batch: &Arc<MessageBatch>, whereabouts: &Arc<MessageRooms>) -> Self {
        Self { message, batch: Arc::clone(batch), whereabouts: Arc::clone(whereabouts), now: None }
    }

    /// A message that an event tells.
    pub(crate) fn of_event(message: contract::Message, people: &Arc<UserBatch>, whereabouts: &Arc<MessageRooms>) -> Self {
        let now = Some(MessageNow::new(message.room, message.seq));
        let batch = MessageBatch::heard(people, &message);
        Self { now, ..Self::new(Arc::new(message), &batch, whereabouts) }
    }

    /// A message that an event tells by itself.
    pub(crate) fn heard(message: contract::Message) -> Self {
        let (people, whereabouts) = (UserBatch::new(message.people().cloned()), MessageRooms::one(message.room));
        Self::of_event(message, &people, &whereabouts)
    }

    /// Messages that were found by themselves.
    pub(crate) fn all(messages: Vec<contract::Message>) -> Vec<Self> {
        let (batch, whereabouts) = (MessageBatch::new(&messages), MessageRooms::of(&messages));
        messages.into_iter().map(|message| Self::new(Arc::new(message), &batch, &whereabouts)).collect()
    }
}

/// A message.
#[Object]
impl Message {
    /// The id: a UUID.
    async fn id(&self) -> ID {
        self.message.id.to_string().into()
    }

    /// The room that it was sent to; null for one that you cannot see any more.
    async fn room(&self, ctx: &Context<'_>) -> Result<Option<Room>> {
        Room::among(&self.whereabouts, RequestContext::of(ctx)?, self.message.room).await.map_err(refuse)
    }

    /// Its place in the room's order: 1, 2, 3, … over all of the room's durable events, without a gap.
    async fn seq(&self) -> i64 {
        self.message.seq
    }

    /// The seq of the newest event that changed it; its own at first. Of two states of a message the one with the higher rev is the newer one.
    async fn rev(&self) -> i64 {
        self.message.rev
    }

    /// Who sent it; null only with an error.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::of(self.batch.people(), RequestContext::of(ctx)?, &self.message.sender).await.map(Some).map_err(refuse)
    }

    /// The text as it is now; empty when it was deleted.
    async fn body(&self, ctx: &Context<'_>) -> Result<&str> {
        Ok(RequestContext::of(ctx)?.tell(self.message.body.as_str()))
    }

    /// When it was committed, by the server's clock.
    async fn created_at(&self) -> DateTime {
        DateTime(self.message.created_at)
    }

    /// The key that its sender gave it; only the sender sees it.
    async fn nonce(&self) -> Option<&str> {
        self.message.nonce.as_ref().map(|nonce| nonce.as_str())
    }

    /// The application's own word for what it is.
    #[graphql(name = "type")]
    async fn message_type(&self) -> Option<&str> {
        self.message.message_type.as_ref().map(|message_type| message_type.as_str())
    }

    /// How the text is meant; null for plain text.
    async fn format(&self) -> Option<TextFormat> {
        self.message.format.map(TextFormat::from)
    }

    /// What the application noted on it.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Option<Json<&Metadata>>> {
        let Some(metadata) = &self.message.metadata else { return Ok(None) };
        Ok(RequestContext::of(ctx)?.tell_bytes(metadata.bytes()).then_some(Json(metadata)))
    }

    /// The earlier message that it answers.
    async fn reply_to(&self) -> Option<Replied> {
        let seq = self.message.reply_to.as_ref()?.seq;
        Some(Replied { seq, answer: Arc::clone(&self.message), people: Arc::clone(self.batch.people()) })
    }

    /// The seq of the message whose thread it is in.
    async fn thread(&self) -> Option<i64> {
        self.message.thread
    }

    /// Whether a message in a thread stands among the room's messages too; false for a message that is in no thread.
    async fn also_in_room(&self) -> bool {
        self.message.also_in_room == Some(true)
    }

    /// What came in the thread that begins with it; null where nothing did, or all of it was deleted.
    async fn thread_info(&self, ctx: &Context<'_>) -> Result<Option<ThreadInfo>> {
        if self.message.thread.is_some() {
            return Ok(None);
        }
        let Some(now) = &self.now else { return Ok(self.message.thread_info.as_deref().map(ThreadInfo::new)) };
        let (message, _) = now.message(RequestContext::of(ctx)?).await.map_err(refuse)?;
        Ok(message.thread_info.as_deref().map(ThreadInfo::new))
    }

    /// The messages in the thread that begins with it, the oldest first. A message's cursor is its seq. A page of very long messages ends early:
    /// `pageInfo` says whether there are more.
    #[graphql(complexity = "1 + times(&[first], 50) * child_complexity")]
    async fn replies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Option<Messages>> {
        let (limit, goes_on) = (limit("first", first).map_err(refuse)?, after.is_some());
        let after = after.map(|cursor| seq("after", &cursor)).transpose().map_err(refuse)?.unwrap_or(0);
        let root = (self.message.room, self.message.seq);
        let (page, batch) = self.batch.replies(RequestContext::of(ctx)?, root, after, limit).await.map_err(refuse)?;
        Ok(Some(placed(page, goes_on, &batch, &self.whereabouts)))
    }

    /// Whom it mentions; null for nobody.
    async fn mentions(&self) -> Option<Mentions> {
        Mentions::of(&self.message)
    }

    /// When its text or what belongs to it was last changed.
    async fn edited_at(&self) -> Option<DateTime> {
        self.message.edited_at.map(DateTime)
    }

    /// When it was deleted.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.message.deleted_at.map(DateTime)
    }

    /// Who deleted it.
    async fn deleted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        person(ctx, self.batch.people(), self.message.deleted_by.as_ref()).await
    }

    /// The reactions, in the order of their first use.
    async fn reactions(&self, ctx: &Context<'_>) -> Result<Vec<Reaction>> {
        let (message, _) = self.whole(ctx).await?;
        Ok(Reactions::Of(message).each())
    }

    /// When it was pinned.
    async fn pinned_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        let (message, _) = self.whole(ctx).await?;
        Ok(message.pinned_at.map(DateTime))
    }

    /// Who pinned it.
    async fn pinned_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let (message, batch) = self.whole(ctx).await?;
        person(ctx, batch.people(), message.pinned_by.as_ref()).await
    }
}

impl Message {
    /// The message with its reactions and its pin, and what it was found with.
    async fn whole(&self, ctx: &Context<'_>) -> Result<(Arc<contract::Message>, Arc<MessageBatch>)> {
        // What was never changed has neither reactions nor a pin, and what was deleted has none any more.
        let may_have = self.message.rev > self.message.seq && self.message.deleted_at.is_none();
        match &self.now {
            Some(now) if may_have => now.message(RequestContext::of(ctx)?).await.map_err(refuse),
            _ => Ok((Arc::clone(&self.message), Arc::clone(&self.batch))),
        }
    }
}

async fn person(ctx: &Context<'_>, people: &UserBatch, name: Option<&Username>) -> Result<Option<User>> {
    let Some(name) = name else { return Ok(None) };
    User::of(people, RequestContext::of(ctx)?, name).await.map(Some).map_err(refuse)
}

/// The earlier message of a reply.
struct Replied {
    seq: i64,
    /// The reply, which holds the rest.
    answer: Arc<contract::Message>,
    people: Arc<UserBatch>,
}

/// The earlier message that another one answers.
#[Object]
impl Replied {
    /// Its place in the room.
    async fn seq(&self) -> i64 {
        self.seq
    }

    /// Who sent it; null only with an error.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(reply_to) = &self.answer.reply_to else { return Ok(None) };
        User::of(&self.people, RequestContext::of(ctx)?, &reply_to.sender).await.map(Some).map_err(refuse)
    }

    /// Its first 200 characters as they are now; empty when it was deleted.
    async fn body(&self, ctx: &Context<'_>) -> Result<&str> {
        Ok(RequestContext::of(ctx)?.tell(self.answer.reply_to.as_ref().map_or("", |reply_to| &reply_to.body)))
    }
}

/// Messages of a room, each at a place of its own.
pub(crate) type Messages = Connection<String, Message, EmptyFields, EmptyFields>;

/// A stretch of a room's messages, in which a message's place is its seq.
pub(crate) fn stretch(stretch: SharedStretch, batch: &Arc<MessageBatch>, rooms: &Arc<RoomBatch>) -> Messages {
    let whereabouts = Arc::new(MessageRooms::Known(Arc::clone(rooms)));
    let mut messages = Connection::new(stretch.earlier, stretch.later);
    let edge = |message: Arc<contract::Message>| Edge::new(message.seq.to_string(), Message::new(message, batch, &whereabouts));
    messages.edges.extend(stretch.messages.into_iter().map(edge));
    messages
}

/// A page of messages, each with its place.
pub(crate) fn placed(
    page: SharedPage<Arc<contract::Message>>,
    goes_on_from: bool,
    batch: &Arc<MessageBatch>,
    whereabouts: &Arc<MessageRooms>,
) -> Messages {
    let mut messages = Connection::new(goes_on_from, page.more);
    let edge = |(place, message)| Edge::new(place, Message::new(message, batch, whereabouts));
    messages.edges.extend(page.items.into_iter().map(edge));
    messages
}
