//! A bounded cache in front of the store. It never keeps a value that was read before a change: a reader takes a [`Ticket`] before it reads,
//! and every change makes older tickets invalid.

use lru::LruCache;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Values from the store, by key. The least recently used go first.
pub(crate) struct Cache<K, V>(Mutex<Inner<K, V>>);

struct Inner<K, V> {
    values: LruCache<K, V>,
    changes: u64,
}

/// Taken before a read; see [`Cache::insert`].
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A cache of up to `most` values.
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        // `unbounded` allocates as it grows, `new` all at once.
        let mut values = LruCache::unbounded();
        values.resize(most);
        Self(Mutex::new(Inner { values, changes: 0 }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of this key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.lock().values.get(key).cloned()
    }

    /// Take one before you read the store.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.lock().changes)
    }

    /// Adds a value that was read with this ticket, unless something has changed since.
    pub(crate) fn insert(&self, ticket: Ticket, key: K, value: V) {
        let mut inner = self.lock();
        if inner.changes == ticket.0 {
            inner.values.put(key, value);
        }
    }

    /// Removes one value, because the store has changed.
    pub(crate) fn forget(&self, key: &K) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.values.pop(key);
    }

    /// Removes every value that has changed.
    pub(crate) fn forget_where(&self, changed: impl Fn(&K, &V) -> bool)
    where
        K: Clone,
    {
        let mut inner = self.lock();
        inner.changes += 1;
        let keys: Vec<K> = inner.values.iter().filter(|(key, value)| changed(key, value)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            inner.values.pop(&key);
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let cache = Cache::new(NonZeroUsize::new(2).unwrap());
        let before = cache.ticket();
        cache.forget(&1);
        cache.insert(before, 1, "old");
        assert_eq!(cache.get(&1), None);
        cache.insert(cache.ticket(), 1, "new");
        assert_eq!(cache.get(&1), Some("new"));
        cache.forget_where(|_, value| *value == "new");
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn it_is_bounded() {
        let cache = Cache::new(NonZeroUsize::new(2).unwrap());
        for key in 0..5 {
            cache.insert(cache.ticket(), key, key);
        }
        assert_eq!([cache.get(&2), cache.get(&3), cache.get(&4)], [None, Some(3), Some(4)]);
        cache.clear();
        assert_eq!(cache.get(&4), None);
    }
}
