//! What came in a thread, as its first message tells it.

use super::scalars::DateTime;
use async_graphql::SimpleObject;
use contract::message;

/// What came in a thread. Deleted messages do not count.
#[derive(SimpleObject)]
pub(crate) struct ThreadInfo {
    /// How many messages there are.
    replies: i64,
    /// The seq of the newest one.
    last_seq: i64,
    /// When that one came.
    last_at: DateTime,
    /// The first 5 who wrote in it.
    usernames: Vec<String>,
}

impl ThreadInfo {
    pub(crate) fn new(info: &message::ThreadInfo) -> Self {
        let usernames = info.usernames.iter().map(|username| username.as_str().to_owned()).collect();
        Self { replies: info.replies, last_seq: info.last_seq, last_at: DateTime(info.last_at), usernames }
    }
}
