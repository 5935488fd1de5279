//! Messages.

use super::room::Room;
use super::scalars::DateTime;
use super::user::User;
use crate::batch_loader::{MessageRooms, RoomBatch, SharedStretch, UserBatch};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Object, Result};
use std::sync::Arc;

/// A message among those that were found with it.
pub(crate) struct Message {
    message: Arc<contract::Message>,
    people: Arc<UserBatch>,
    whereabouts: Arc<MessageRooms>,
}

impl Message {
    pub(crate) fn new(message: Arc<contract::Message>, people: &Arc<UserBatch>, whereabouts: &Arc<MessageRooms>) -> Self {
        Self { message, people: Arc::clone(people), whereabouts: Arc::clone(whereabouts) }
    }

    /// Messages that were found by themselves.
    pub(crate) fn all(messages: Vec<contract::Message>) -> Vec<Self> {
        let people = UserBatch::new(messages.iter().map(|message| message.sender.clone()));
        let whereabouts = MessageRooms::of(&messages);
        messages.into_iter().map(|message| Self::new(Arc::new(message), &people, &whereabouts)).collect()
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
        let rooms = self.whereabouts.rooms(RequestContext::of(ctx)?).await.map_err(refuse)?;
        Ok(rooms.find(self.message.room).map(|room| Room::new(room, &rooms)))
    }

    /// Its place in the room's order: 1, 2, 3, … over messages, joins, leaves and renames, without a gap.
    async fn seq(&self) -> i64 {
        self.message.seq
    }

    /// Who sent it; null only with an error.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::of(&self.people, RequestContext::of(ctx)?, &self.message.sender).await.map(Some).map_err(refuse)
    }

    /// The text, exactly as sent.
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
}

/// A room's messages, in which a message's place is its seq.
pub(crate) type Messages = Connection<String, Message, EmptyFields, EmptyFields>;

/// A stretch of them.
pub(crate) fn stretch(stretch: SharedStretch, people: &Arc<UserBatch>, rooms: &Arc<RoomBatch>) -> Messages {
    let whereabouts = Arc::new(MessageRooms::Known(Arc::clone(rooms)));
    let mut messages = Connection::new(stretch.earlier, stretch.later);
    let edge = |message: Arc<contract::Message>| Edge::new(message.seq.to_string(), Message::new(message, people, &whereabouts));
    messages.edges.extend(stretch.messages.into_iter().map(edge));
    messages
}
