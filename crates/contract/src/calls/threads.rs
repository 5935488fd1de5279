//! What the messages service answers about threads.

use super::call;
use super::messages::ReadMark;
use crate::{Limit, Message, Page, RoomId, Time};
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
