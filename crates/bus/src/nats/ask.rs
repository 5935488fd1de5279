//! Asking another process.

use super::Nats;
use super::bundle::CALLS;
use super::inbox::Reply;
use super::parts::HEADERS;
use crate::nobody;
use async_nats::HeaderMap;
use bytes::Bytes;
use contract::{Code, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long an answer may take. The answering process knows it too, and begins no call that nobody waits for any more.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// A request's header: how many milliseconds are left for its answer.
pub(super) const LEFT: &str = "Guild-Left";

/// How a request went wrong: for the metrics, and for the caller.
pub(super) type Failure = (&'static str, Refusal);

impl Nats {
    /// The answer to this call; `key` chooses its lane, where it has one.
    pub(crate) async fn ask(self: &Arc<Self>, subject: &'static str, key: Option<[u8; 16]>, request: Bytes) -> Result<Bytes, Refusal> {
        let until = Instant::now() + DEADLINE;
        let outcome = match key {
            None => self.request(subject, request, 1, until).await,
            Some(key) => self.ask_in_lane(subject, key, request, until).await,
        };
        let counted = match &outcome {
            Ok(_) => "answered",
            Err(refused) => refused.0,
        };
        metrics::counter!("guild_nats_calls_total", "outcome" => counted).increment(1);
        outcome.map_err(|(_, refusal)| refusal)
    }

    /// How large a request may be.
    pub(super) fn most_bytes(&self) -> usize {
        self.client.max_payload().saturating_sub(HEADERS)
    }

    /// One request, of so many calls.
    pub(super) async fn request(&self, subject: &'static str, request: Bytes, calls: usize, until: Instant) -> Result<Bytes, Failure> {
        if !self.is_connected() {
            return Err(("away", away(subject)));
        }
        let most = self.most_bytes();
        if request.len() > most {
            let bytes = request.len();
            tracing::error!(subject, bytes, most, "a call is larger than NATS takes (max_payload in the configuration of its server)");
            return Err((
                "too_large",
                Refusal::new(Code::TooLarge, "this is more than goes from one of our servers to another; ask for less"),
            ));
        }
        let mut waiting = self.inbox.wait();
        let mut headers = HeaderMap::new();
        headers.insert(LEFT, until.saturating_duration_since(Instant::now()).as_millis().to_string());
        if calls > 1 {
            headers.insert(CALLS, calls.to_string());
        }
        let exchange = async {
            let reply = waiting.subject.clone();
            let sent = self.client.publish_with_reply_and_headers(format!("guild.call.{subject}"), reply, headers, request).await;
            if let Err(error) = sent {
                tracing::warn!(subject, %error, "a call was not taken by NATS");
                return None;
            }
            (&mut waiting.reply).await.ok()
        };
        match timeout_at(until, exchange).await {
            Ok(Some(Reply::Answer(answer))) => Ok(answer),
            Ok(Some(Reply::Nobody)) => Err(("nobody", nobody(subject))),
            // The connection is gone.
            Ok(None) => Err(("away", away(subject))),
            Err(_) => Err(("late", late(subject))),
        }
    }

    /// Waits until the server has taken everything that was sent before: then it says that nobody answers this. False if it does not.
    pub(super) async fn reached(&self, within: Duration) -> bool {
        let mut waiting = self.inbox.wait();
        let exchange = async {
            let reply = waiting.subject.clone();
            let sent = self.client.publish_with_reply("guild.nobody", reply, Bytes::new()).await;
            sent.is_ok() && (&mut waiting.reply).await.is_ok()
        };
        tokio::time::timeout(within, exchange).await.unwrap_or(false)
    }
}

fn away(subject: &str) -> Refusal {
    Refusal::busy(format!("{subject} cannot be reached at the moment; try again"))
}

pub(super) fn late(subject: &str) -> Refusal {
    Refusal::busy(format!("{subject} did not answer within {} seconds; try again", DEADLINE.as_secs()))
}
