//! What can be listened to.

use super::message::Message;
use super::room_event::RoomEvent;
use crate::feed::{Feed, Hears};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::{Context, ID, Result, Subscription as Root};
use contract::log::Event;
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
        let events = self.feed.listen(context, Hears::Messages(only)).await.map_err(refuse)?;
        Ok(events.filter_map(|heard| {
            let message = match heard {
                Ok(Event::NewMessage { message, .. }) => Some(Ok(Message::heard(*message))),
                Ok(_) => None,
                Err(refusal) => Some(Err(refuse(refusal))),
            };
            std::future::ready(message)
        }))
    }

    /// Every durable event of a room from now on, each once, in the room's order: messages and what is done to them, joins and leaves, changes of
    /// the room. It ends when you leave the room, after your own `MemberLeft`. What happened while you were not connected is at
    /// `GET /rooms/{id}/events`.
    #[graphql(complexity = "20 + child_complexity")]
    async fn room_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which room.")] room: ID,
    ) -> Result<impl Stream<Item = Result<RoomEvent>> + 'static> {
        let context = RequestContext::of(ctx)?.clone();
        let room = RoomId::parse(&room).ok_or_else(Refusal::no_room).map_err(refuse)?;
        let events = self.feed.listen(context, Hears::Room(room)).await.map_err(refuse)?;
        Ok(events.filter_map(|heard| std::future::ready(heard.map(RoomEvent::of).map_err(refuse).transpose())))
    }
}
