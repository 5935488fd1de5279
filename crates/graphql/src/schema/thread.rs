//! Threads.

use super::message::Message;
use super::scalars::DateTime;
use crate::batch_loader::MessageRooms;
use crate::message_batch::MessageBatch;
use crate::shared_page::{FoundThread, SharedPage};
use async_graphql::SimpleObject;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use std::sync::Arc;

/// A thread, as you see it now.
#[derive(SimpleObject)]
pub(crate) struct Thread {
    /// The message with which it begins; the others are its `replies`.
    root: Message,
    /// How many messages came in it, without the deleted ones.
    replies: i64,
    /// How many of them you have not read.
    unread: i64,
    /// When the newest of them came.
    last_at: DateTime,
}

/// A list of threads, each at a place of its own.
pub(crate) type Threads = Connection<String, Thread, EmptyFields, EmptyFields>;

/// A page of threads.
pub(crate) fn placed(
    page: SharedPage<FoundThread>,
    goes_on_from: bool,
    batch: &Arc<MessageBatch>,
    whereabouts: &Arc<MessageRooms>,
) -> Threads {
    let mut threads = Connection::new(goes_on_from, page.more);
    let thread = |FoundThread { root, replies, unread, last_at }| Thread {
        root: Message::new(root, batch, whereabouts),
        replies,
        unread,
        last_at: DateTime(last_at),
    };
    threads.edges.extend(page.items.into_iter().map(|(place, found)| Edge::new(place, thread(found))));
    threads
}
