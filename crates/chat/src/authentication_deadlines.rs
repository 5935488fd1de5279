//! When each connection must have authenticated. One list for all of them, which one task looks at (`sweep.rs`): a task for each would keep
//! its connection, and the slot under its address's limit, until the deadline, long after the connection has gone.

use crate::registry::Key;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// See the module.
#[derive(Default)]
pub(crate) struct AuthenticationDeadlines(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    in_order: BTreeSet<(Instant, Key)>,
    deadlines: HashMap<Key, Instant>,
}

impl AuthenticationDeadlines {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This connection must have authenticated by then.
    pub(crate) fn put(&self, key: Key, deadline: Instant) {
        let mut inner = self.lock();
        if let Some(before) = inner.deadlines.insert(key, deadline) {
            inner.in_order.remove(&(before, key));
        }
        inner.in_order.insert((deadline, key));
    }

    /// This connection is gone.
    pub(crate) fn remove(&self, key: Key) {
        let mut inner = self.lock();
        if let Some(deadline) = inner.deadlines.remove(&key) {
            inner.in_order.remove(&(deadline, key));
        }
    }

    /// Takes out the connections whose deadline has passed.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<Key> {
        let mut inner = self.lock();
        let mut due = Vec::new();
        while let Some((deadline, key)) = inner.in_order.first().copied().filter(|(deadline, _)| *deadline <= now) {
            inner.in_order.remove(&(deadline, key));
            inner.deadlines.remove(&key);
            due.push(key);
        }
        due
    }

    /// How many connections have a deadline.
    #[cfg(test)]
    fn len(&self) -> usize {
        let inner = self.lock();
        assert_eq!(inner.in_order.len(), inner.deadlines.len());
        inner.deadlines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn connections_are_taken_out_when_they_are_due_and_forgotten_when_they_are_gone() {
        let deadlines = AuthenticationDeadlines::default();
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        for (key, seconds) in [(1, 30), (2, 31), (3, 30), (4, 29)] {
            deadlines.put(key, after(seconds));
        }
        deadlines.remove(3);
        deadlines.remove(3);
        deadlines.put(4, after(40));
        assert!(deadlines.take_due(after(29)).is_empty());
        assert_eq!(deadlines.take_due(after(30)), [1]);
        assert!(deadlines.take_due(after(30)).is_empty());
        deadlines.remove(2);
        assert_eq!(deadlines.len(), 1);
        assert_eq!(deadlines.take_due(after(40)), [4]);
        assert_eq!(deadlines.len(), 0);
    }
}
