//! What can be listened to.

use super::message::Message;
use crate::feed::Feed;
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::{Context, ID, Result, Subscription as Root};
use contract::{Refusal, RoomId};
use futures_util::{Stream, StreamExt};
use std::sync::Arc;

/// The root of all subscriptions.
pub(crate) struct Subscription {
    pub feed: Arc<Feed>,
}

/// Over a WebSocket at the same path, subprotocol `graphql-transport-ws`, with `{"authorization": "Bearer …"}` as the payload of
/// `connection_init`.
#[Root]
impl Subscription {
    /// Every message that is sent from now on in your rooms (or in one of them), each once, in the room's order. Rooms that you join
    /// count from then on. With `room` it ends when you leave the room. What was sent while you were not connected is at
    /// `room.messages(after:)`.
    #[graphql(complexity = "20 + child_complexity")]
    async fn new_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only messages in this room.")] room: Option<ID>,
    ) -> Result<impl Stream<Item = Result<Message>> + 'static> {
        let context = RequestContext::of(ctx)?.clone();
        let only = room.map(|id| RoomId::parse(&id).ok_or_else(Refusal::no_room)).transpose().map_err(refuse)?;
        let messages = self.feed.listen(context, only).await.map_err(refuse)?;
        Ok(messages.map(|heard| {
            let mut one = Message::all(vec![heard.map_err(refuse)?]);
            one.pop().ok_or_else(|| refuse(Refusal::no_room()))
        }))
    }
}
