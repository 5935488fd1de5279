//! Connections that have to say who they are, and by when. One task looks at all of them (`Gateway::sweep`): a task for each would keep its
//! connection, and the place that this has under its address's limit, until its time is up, long after the connection has gone.

use crate::client::{Client, Standing};
use crate::gateway::Gateway;
use crate::outbound::cut_for;
use crate::registry::Key;
use contract::{Code, Refusal};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How soon a connection whose time is up is looked at again while it is being authenticated.
const AGAIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub(crate) struct Nobodies(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    in_order: BTreeSet<(Instant, Key)>,
    until: HashMap<Key, Instant>,
}

impl Nobodies {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This connection has to be somebody's at this time.
    pub(crate) fn put(&self, key: Key, until: Instant) {
        let mut inner = self.lock();
        if let Some(before) = inner.until.insert(key, until) {
            inner.in_order.remove(&(before, key));
        }
        inner.in_order.insert((until, key));
    }

    /// This connection is gone.
    pub(crate) fn remove(&self, key: Key) {
        let mut inner = self.lock();
        if let Some(until) = inner.until.remove(&key) {
            inner.in_order.remove(&(until, key));
        }
    }

    /// Takes out those whose time is up.
    fn due(&self, now: Instant) -> Vec<Key> {
        let mut inner = self.lock();
        let mut due = Vec::new();
        while let Some((until, key)) = inner.in_order.first().copied().filter(|(until, _)| *until <= now) {
            inner.in_order.remove(&(until, key));
            inner.until.remove(&key);
            due.push(key);
        }
        due
    }

    /// How many are waited for.
    #[cfg(test)]
    fn len(&self) -> usize {
        let inner = self.lock();
        assert_eq!(inner.in_order.len(), inner.until.len());
        inner.until.len()
    }
}

impl Gateway {
    /// A connection is there that is nobody's yet.
    pub(crate) fn wait_for_somebody(&self, key: Key) {
        // So far away that no clock has it is never.
        if let Some(until) = Instant::now().checked_add(self.settings.authenticate_within) {
            self.nobodies.put(key, until);
        }
    }

    /// Cuts those who have not said in time who they are.
    pub(crate) fn cut_nobodies(&self, now: Instant) {
        for key in self.nobodies.due(now) {
            let Some(conn) = self.conn(key) else { continue };
            match conn.state::<Client>().map(|client| client.standing()) {
                Some(Standing::Nobody) => {
                    let detail = "nobody has authenticated on this socket in time; log in, then connect";
                    cut_for(&*conn, &Refusal::new(Code::Unauthenticated, detail));
                }
                // Its time is up unless this one succeeds.
                Some(Standing::Authenticating) => self.nobodies.put(key, now + AGAIN),
                Some(Standing::Settled) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_whose_time_is_up_are_taken_out_and_who_is_gone_is_forgotten() {
        let nobodies = Nobodies::default();
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        for (key, seconds) in [(1, 30), (2, 31), (3, 30), (4, 29)] {
            nobodies.put(key, after(seconds));
        }
        nobodies.remove(3);
        nobodies.remove(3);
        nobodies.put(4, after(40));
        assert!(nobodies.due(after(29)).is_empty());
        assert_eq!(nobodies.due(after(30)), [1]);
        assert!(nobodies.due(after(30)).is_empty());
        nobodies.remove(2);
        assert_eq!(nobodies.len(), 1);
        assert_eq!(nobodies.due(after(40)), [4]);
        assert_eq!(nobodies.len(), 0);
    }
}
