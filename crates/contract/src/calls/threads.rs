//! What the messages service answers about threads.

use super::call;
use super::messages::{OfRoom, ReadMark};
use crate::{Limit, Message, Page, Placed, Refusal, RoomId, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Follows a thread, from its newest message on, or stops following it. What changes nothing is fine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FollowThread {
    /// The room.
    pub room: RoomId,
    /// The seq of the message whose thread it is. What is no message's is `not_found`, field `thread`.
    pub thread: i64,
    /// Follow, or stop.
    pub on: bool,
}
call!(FollowThread => (), "messages.follow_thread");

/// Moves the caller's mark in a thread. It never goes back; past the newest message means that one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MarkThreadRead {
    /// The room.
    pub room: RoomId,
    /// The seq of the message whose thread it is. What is no message's is `not_found`, field `thread`.
    pub thread: i64,
    /// Read up to this seq.
    pub seq: i64,
}
call!(MarkThreadRead => ReadMark, "messages.mark_thread_read");

/// The threads of a room, the one with the newest message first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomThreads {
    /// The room.
    pub room: RoomId,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(RoomThreads => Page<Thread>, "messages.room_threads");

/// The threads of several rooms at once: for each room what [`RoomThreads`] answers or refuses. At most 100 rooms. Where the first messages are
/// long, a page is shorter than the limit: 1 MiB of bodies for all rooms together, and of each room one thread at least.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThreadsOf {
    /// Which rooms.
    pub rooms: Vec<RoomId>,
    /// A place in an earlier answer, or [`Page::next`].
    pub after: Option<String>,
    /// How many of each room.
    pub limit: Limit,
}
call!(ThreadsOf => Vec<OfRoom<Placed<Thread>>>, "messages.threads_of");

/// The messages of several threads at once, the oldest first, each page in the order in which the threads were asked for. At most 100 threads. A
/// message's place is its seq. Where the messages are long, a page is shorter than the limit: 1 MiB of bodies for all threads together, and
/// of each thread one message at least.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepliesOf {
    /// Which threads: of each the room, and the seq of its first message. One in which nothing came has an empty page.
    pub threads: Vec<(RoomId, i64)>,
    /// Only messages with a larger seq; 0 for all.
    pub after: i64,
    /// How many of each thread.
    pub limit: Limit,
}
call!(RepliesOf => Vec<OfThread<Placed<Message>>>, "messages.replies_of");

/// What was found out about one of several threads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfThread<T> {
    /// The room.
    pub room: RoomId,
    /// The seq of the thread's first message.
    pub thread: i64,
    /// What was asked for, or why not.
    pub answer: Result<T, Refusal>,
}

/// The threads that the caller follows, in all rooms that the caller is in, the one with the newest message first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MyThreads {
    /// Only those with something unread.
    pub unread: bool,
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(MyThreads => Page<Thread>, "messages.my_threads");

/// The same, and where each thread stands in that list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MyThreadsPlaced {
    /// Only those with something unread.
    pub unread: bool,
    /// A place in an earlier answer, or [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(MyThreadsPlaced => Placed<Thread>, "messages.my_threads_placed");

/// A thread as its reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Thread {
    /// The message with which it begins, as it is now.
    pub root: Message,
    /// How many messages came in it, without the deleted ones.
    #[schema(minimum = 0)]
    pub replies: i64,
    /// How many of them the reader has not read.
    #[schema(minimum = 0)]
    pub unread: i64,
    /// When the newest of them came.
    pub last_at: Time,
}
