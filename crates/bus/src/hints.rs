//! Hints: a topic a kind, each listener with a bounded queue of its own. A listener who is too slow is told how many it missed.

use contract::hint::Hint;
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many hints of a kind may wait for one listener. A batch of the log is one hint whatever it holds.
const QUEUE: usize = 1_024;

#[derive(Default)]
pub(crate) struct Topics(Mutex<HashMap<&'static str, Box<dyn Any + Send + Sync>>>);

impl Topics {
    pub(crate) fn publish<H: Hint>(&self, hint: H) {
        // Nobody listening is fine: it is a hint.
        let _ = self.topic::<H>().send(Arc::new(hint));
    }

    pub(crate) fn subscribe<H: Hint>(&self) -> Subscription<H> {
        Subscription(self.topic::<H>().subscribe())
    }

    fn topic<H: Hint>(&self) -> broadcast::Sender<Arc<H>> {
        let mut topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = topics.entry(H::SUBJECT).or_insert_with(|| Box::new(broadcast::Sender::<Arc<H>>::new(QUEUE)));
        match topic.downcast_ref::<broadcast::Sender<Arc<H>>>() {
            Some(sender) => sender.clone(),
            // Two kinds of hint with one subject: neither hears the other.
            None => broadcast::Sender::new(1),
        }
    }
}

/// One listener.
pub struct Subscription<H>(broadcast::Receiver<Arc<H>>);

/// What a listener hears.
#[derive(Debug)]
pub enum Heard<H> {
    /// A hint.
    Hint(Arc<H>),
    /// So many hints were missed here: the listener was too slow. Look into the database.
    Missed(u64),
}

impl<H: Hint> Subscription<H> {
    /// The next hint; `None` when the bus is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<Heard<H>> {
        match self.0.recv().await {
            Ok(hint) => Some(Heard::Hint(hint)),
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
