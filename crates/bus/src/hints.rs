//! Hints: one topic for each kind, and a bounded queue for each listener. A listener that is too slow is told how many hints it missed.

use contract::hint::Hint;
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many hints of a kind may wait for one listener. A batch of the log is one hint whatever it holds.
const QUEUE: usize = 1_024;

/// What goes to listeners of one kind.
type Sender<H> = broadcast::Sender<Told<H>>;

#[derive(Debug)]
enum Told<H> {
    Hint(Arc<H>),
    Missed,
}

impl<H> Clone for Told<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Hint(hint) => Self::Hint(Arc::clone(hint)),
            Self::Missed => Self::Missed,
        }
    }
}

/// A [`Sender`] with its type forgotten.
trait Topic: Send + Sync {
    fn missed(&self);
    fn as_any(&self) -> &dyn Any;
}

impl<H: Hint> Topic for Sender<H> {
    fn missed(&self) {
        let _ = self.send(Told::Missed);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Default)]
pub(crate) struct Topics(Mutex<HashMap<&'static str, Box<dyn Topic>>>);

impl Topics {
    pub(crate) fn publish<H: Hint>(&self, hint: H) {
        // Nobody listening is fine: it is a hint.
        let _ = self.topic::<H>().send(Told::Hint(Arc::new(hint)));
    }

    pub(crate) fn subscribe<H: Hint>(&self) -> Subscription<H> {
        Subscription(self.topic::<H>().subscribe())
    }

    /// Listeners of this kind have missed something.
    pub(crate) fn missed_one<H: Hint>(&self) {
        self.topic::<H>().missed();
    }

    /// Every listener may have missed something.
    pub(crate) fn missed(&self) {
        for topic in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            topic.missed();
        }
    }

    fn topic<H: Hint>(&self) -> Sender<H> {
        let mut topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = topics.entry(H::SUBJECT).or_insert_with(|| Box::new(Sender::<H>::new(QUEUE)));
        match topic.as_any().downcast_ref::<Sender<H>>() {
            Some(sender) => sender.clone(),
            // Two kinds of hint with one subject: neither hears the other.
            None => broadcast::Sender::new(1),
        }
    }
}

/// One listener.
pub struct Subscription<H>(broadcast::Receiver<Told<H>>);

/// What a listener hears.
#[derive(Debug)]
pub enum Heard<H> {
    /// A hint.
    Hint(Arc<H>),
    /// Hints were missed here, at least so many (0: nobody knows): the listener was too slow, or NATS was away. Look into the database.
    Missed(u64),
}

impl<H: Hint> Subscription<H> {
    /// The next hint; `None` when the bus is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<Heard<H>> {
        match self.0.recv().await {
            Ok(Told::Hint(hint)) => Some(Heard::Hint(hint)),
            Ok(Told::Missed) => Some(Heard::Missed(0)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Heard::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// The hint as another process would read it; `None` (and a line in the log) if it cannot be passed on.
pub(crate) fn through_bytes<H: Hint>(hint: H) -> Option<H> {
    let passed = serde_json::to_vec(&hint).and_then(|bytes| serde_json::from_slice(&bytes));
    passed.map_err(|error| tracing::error!(subject = H::SUBJECT, %error, "a hint could not be passed on")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bus;
    use contract::hint::{PresenceChanged, Revoked};
    use contract::{UserId, UserRef};

    #[tokio::test]
    async fn a_listener_hears_its_kind_and_what_it_missed() {
        for bus in [Bus::near(), Bus::encoding()] {
            let mut revoked = bus.subscribe::<Revoked>();
            let user = UserRef { id: UserId::new(), username: "a".try_into().unwrap() };
            bus.publish(PresenceChanged { user, online: true });
            for _ in 0..QUEUE + 2 {
                bus.publish(Revoked::AskAgain);
            }
            assert!(matches!(revoked.next().await, Some(Heard::Missed(2))));
            assert!(matches!(revoked.next().await, Some(Heard::Hint(h)) if *h == Revoked::AskAgain));
        }
    }
}
