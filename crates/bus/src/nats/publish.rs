//! Hints to and from other processes. No process gets its own (the connection asks for no echo): listeners here get them directly.

use super::Nats;
use super::inbox::subscribe;
use super::parts::HEADERS;
use bytes::Bytes;
use contract::hint::Hint;
use futures_util::StreamExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Hints that may wait for NATS, and their bytes.
const QUEUE: usize = 4_096;
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// What waits, in order.
pub(super) enum Queued {
    Hint(String, Bytes),
    /// Answered when everything before it has been handed over.
    Mark(oneshot::Sender<()>),
}

/// Hints that wait for NATS.
pub(super) struct HintQueue {
    queue: mpsc::Sender<Queued>,
    bytes: AtomicUsize,
}

impl HintQueue {
    pub(super) fn new() -> (Self, mpsc::Receiver<Queued>) {
        let (queue, queued) = mpsc::channel(QUEUE);
        (Self { queue, bytes: AtomicUsize::new(0) }, queued)
    }

    /// Waits until everything that was put before has been handed over.
    pub(super) async fn flushed(&self) {
        let (mark, reached) = oneshot::channel();
        if self.queue.send(Queued::Mark(mark)).await.is_ok() {
            let _ = reached.await;
        }
    }

    fn put(&self, subject: String, bytes: Bytes) {
        let size = bytes.len();
        let full = self.bytes.fetch_add(size, Ordering::Relaxed) > QUEUE_BYTES;
        if full || self.queue.try_send(Queued::Hint(subject.clone(), bytes)).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            dropped();
            tracing::warn!(subject, "a hint was not published to other processes: NATS does not take them fast enough");
        }
    }
}

impl Nats {
    /// Publishes a hint to other processes, encoded once for all of them. While NATS is away no process gets any; all of them look into the
    /// database when it is back.
    pub(crate) fn publish<H: Hint>(&self, hint: &H) {
        if !self.is_connected() {
            return dropped();
        }
        let bytes = match serde_json::to_vec(hint) {
            Ok(bytes) => bytes,
            Err(error) => return tracing::error!(subject = H::SUBJECT, %error, "a hint could not be passed on"),
        };
        if bytes.len() <= self.client.max_payload().saturating_sub(HEADERS) {
            return self.hint_queue.put(subject(hint), bytes.into());
        }
        match hint.halves() {
            Some((front, back)) => {
                self.publish(&front);
                self.publish(&back);
            }
            None => {
                dropped();
                tracing::warn!(
                    subject = H::SUBJECT,
                    bytes = bytes.len(),
                    "a hint is larger than NATS takes (max_payload in the configuration of its server); listeners read the database instead"
                );
            }
        }
    }

    /// Hands the queued hints to NATS, in order.
    pub(super) async fn publish_queued(self: Arc<Self>, mut queued: mpsc::Receiver<Queued>) {
        while let Some(next) = queued.recv().await {
            match next {
                Queued::Mark(mark) => _ = mark.send(()),
                Queued::Hint(subject, bytes) => {
                    self.hint_queue.bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
                    // A hint that waited while the connection was lost would come after everybody has looked into the database.
                    if !self.is_connected() {
                        dropped();
                    } else if let Err(error) = self.client.publish(subject, bytes).await {
                        dropped();
                        tracing::debug!(%error, "a hint was not taken by NATS");
                    }
                }
            }
        }
    }

    /// Takes the hints of this kind from other processes, for all listeners in this one.
    pub(crate) fn listen<H: Hint>(self: &Arc<Self>) {
        if !self.listening.lock().unwrap_or_else(PoisonError::into_inner).insert(H::SUBJECT) {
            return;
        }
        let name = if H::PARTS { format!("guild.{}.*", H::SUBJECT) } else { format!("guild.{}", H::SUBJECT) };
        let subscribed = subscribe(&self.client, name);
        let topics = Arc::clone(&self.hints);
        tokio::spawn(self.vital.keep("the hearing of other processes' hints", async move {
            let Some(mut messages) = subscribed.await else { return };
            while let Some(message) = messages.next().await {
                match serde_json::from_slice::<H>(&message.payload) {
                    Ok(hint) => topics.publish(hint),
                    Err(error) => {
                        // Of a newer program, perhaps. Whoever listens looks into the database, as after any hint that was lost.
                        tracing::debug!(subject = H::SUBJECT, %error, "a hint from another process cannot be read");
                        dropped();
                        topics.missed_one::<H>();
                    }
                }
            }
        }));
    }
}

fn subject<H: Hint>(hint: &H) -> String {
    match hint.part() {
        Some(part) => format!("guild.{}.{part}", H::SUBJECT),
        None => format!("guild.{}", H::SUBJECT),
    }
}

fn dropped() {
    metrics::counter!("guild_nats_hints_dropped_total").increment(1);
}
