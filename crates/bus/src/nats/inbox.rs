//! Where answers arrive: one subscription for all calls of this process that wait for one.

use super::Nats;
use super::parts::Parts;
use async_nats::{Client, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// What comes back for a call.
pub(super) enum Reply {
    /// The answer.
    Answer(Bytes),
    /// No process answers such calls.
    Nobody,
}

/// A call whose answer has not come yet, or only in part.
struct PendingReply {
    parts: Parts,
    reply: oneshot::Sender<Reply>,
}

pub(super) struct Inbox {
    /// `guild.reply.<this process>`.
    subject: String,
    next: AtomicU64,
    pending: Mutex<HashMap<u64, PendingReply>>,
}

/// Waits for one answer, until it is dropped.
pub(super) struct ReplyWaiter<'a> {
    inbox: &'a Inbox,
    number: u64,
    pub(super) subject: String,
    pub(super) reply: oneshot::Receiver<Reply>,
}

impl Drop for ReplyWaiter<'_> {
    fn drop(&mut self) {
        self.inbox.lock().remove(&self.number);
    }
}

impl Inbox {
    pub(super) fn new(client: &Client) -> Self {
        let random = client.new_inbox();
        let random = random.rsplit('.').next().unwrap_or(&random);
        Self { subject: format!("guild.reply.{random}"), next: AtomicU64::new(0), pending: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, PendingReply>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait(&self) -> ReplyWaiter<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        self.lock().insert(number, PendingReply { parts: Parts::default(), reply: sender });
        ReplyWaiter { inbox: self, number, subject: format!("{}.{number}", self.subject), reply }
    }

    /// No answer comes any more: all waiters end.
    pub(super) fn cut(&self) {
        self.lock().clear();
    }

    fn take(&self, message: Message) {
        let Some(number) = message.subject.rsplit('.').next().and_then(|text| text.parse().ok()) else { return };
        let mut pending = self.lock();
        // Nobody waits any more: it came too late.
        let Some(waiting) = pending.get_mut(&number) else { return };
        let reply = match message.status {
            Some(StatusCode::NO_RESPONDERS) => Some(Reply::Nobody),
            _ => waiting.parts.take(message.headers.as_ref(), message.payload).map(Reply::Answer),
        };
        if let Some(reply) = reply
            && let Some(waiting) = pending.remove(&number)
        {
            let _ = waiting.reply.send(reply);
        }
    }
}

impl Nats {
    /// Subscribes at once, before any call, and reads in the background.
    pub(super) fn start_inbox(self: &Arc<Self>) {
        let subscribed = subscribe(&self.client, format!("{}.*", self.inbox.subject));
        let nats = Arc::clone(self);
        tokio::spawn(self.vital.keep("the taking of other processes' answers", async move {
            let Some(mut messages) = subscribed.await else { return };
            while let Some(message) = messages.next().await {
                nats.inbox.take(message);
            }
        }));
    }
}

/// Subscribes at once where the client's queue has room, otherwise when the answer is awaited.
pub(super) fn subscribe(client: &Client, subject: String) -> impl Future<Output = Option<Subscriber>> + Send + 'static {
    let now = client.subscribe(subject.clone()).now_or_never();
    let client = client.clone();
    async move {
        let subscribed = match now {
            Some(subscribed) => subscribed,
            None => client.subscribe(subject.clone()).await,
        };
        subscribed.map_err(|error| tracing::error!(subject, %error, "cannot listen on NATS")).ok()
    }
}
