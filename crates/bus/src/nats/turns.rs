//! One caller's calls that are to be carried out in order. Several servers may answer a call, and neither they nor NATS keep an order
//! between them; so the next one is sent when the one before has been answered. Whoever asks first enters first: a turn is taken by the
//! first poll.

use contract::{Caller, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// The call's subject, who asks, and the call's own key.
type Key = (&'static str, Option<UserId>, [u8; 16]);
type Gate = Arc<tokio::sync::Mutex<()>>;

#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Key, Gate>>);

/// A turn that is waited for, or taken; the next one comes when this is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    key: Key,
    gate: Option<Gate>,
    taken: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(super) async fn take(&self, subject: &'static str, who: &Caller, own: [u8; 16]) -> Turn<'_> {
        let user = match who {
            Caller::User(user) => Some(user.id),
            Caller::Anonymous | Caller::Service(_) => None,
        };
        let key = (subject, user, own);
        let gate = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let mut turn = Turn { turns: self, key, gate: Some(Arc::clone(&gate)), taken: None };
        turn.taken = Some(gate.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut gates = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.taken = None;
        self.gate = None;
        // Whoever else waits holds the gate too.
        if gates.get(&self.key).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn turns_come_in_order_and_leave_nothing_behind() {
        let turns = Turns::default();
        let who = Caller::service("t");
        let first = turns.take("s", &who, [1; 16]).await;
        let mut second = Box::pin(turns.take("s", &who, [1; 16]));
        let mut third = Box::pin(turns.take("s", &who, [1; 16]));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        drop(turns.take("s", &who, [2; 16]).await);
        drop(first);
        assert!(third.as_mut().now_or_never().is_none(), "the second comes first");
        drop(second);
        drop(third.await);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
