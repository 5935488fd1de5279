//! Pages whose items may be shown several times without being copied.

use contract::calls::threads::Thread;
use contract::{Message, Placed, Time};
use std::sync::Arc;

/// A page of things, each with its place.
#[derive(Clone)]
pub(crate) struct SharedPage<T> {
    pub items: Vec<(String, T)>,
    pub more: bool,
}

impl<T> SharedPage<T> {
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), more: false }
    }
}

impl<T, U: From<T>> From<Placed<T>> for SharedPage<U> {
    fn from(Placed { items, more }: Placed<T>) -> Self {
        Self { items: items.into_iter().map(|(place, item)| (place, U::from(item))).collect(), more }
    }
}

/// A thread, with its first message.
#[derive(Clone)]
pub(crate) struct FoundThread {
    pub root: Arc<Message>,
    pub replies: i64,
    pub unread: i64,
    pub last_at: Time,
}

impl From<Thread> for FoundThread {
    fn from(Thread { root, replies, unread, last_at }: Thread) -> Self {
        Self { root: Arc::new(root), replies, unread, last_at }
    }
}
