//! A cache in front of the store, bounded in values and in what they weigh. It never keeps a value that was read before a change: a reader
//! takes a [`Ticket`] before it reads, and every change makes older tickets invalid.

use lru::LruCache;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// Values from the store, by key. The least recently used go first.
pub(crate) struct Cache<K, V>(Mutex<Inner<K, V>>);

struct Inner<K, V> {
    /// Each with its weight.
    values: LruCache<K, (V, usize)>,
    weight: fn(&V) -> usize,
    /// Of all of them.
    weighs: usize,
    most_weight: usize,
    changes: u64,
}

/// Taken before a read; see [`Cache::insert`].
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A cache of up to `most` values, which together weigh up to `most_weight`.
    pub(crate) fn new(most: NonZeroUsize, most_weight: usize, weight: fn(&V) -> usize) -> Self {
        // `unbounded` allocates as it grows, `new` all at once.
        let mut values = LruCache::unbounded();
        values.resize(most);
        Self(Mutex::new(Inner { values, weight, weighs: 0, most_weight, changes: 0 }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of this key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.lock().values.get(key).map(|(value, _)| value.clone())
    }

    /// Take one before you read the store.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.lock().changes)
    }

    /// Adds a value that was read with this ticket, unless something has changed since.
    pub(crate) fn insert(&self, ticket: Ticket, key: K, value: V) {
        let mut inner = self.lock();
        if inner.changes == ticket.0 {
            inner.put(key, value);
        }
    }

    /// Removes one value, because the store has changed.
    pub(crate) fn forget(&self, key: &K) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.remove(key);
    }

    /// Removes every value that has changed.
    pub(crate) fn forget_where(&self, changed: impl Fn(&K, &V) -> bool)
    where
        K: Clone,
    {
        let mut inner = self.lock();
        inner.changes += 1;
        let keys: Vec<K> = inner.values.iter().filter(|(key, (value, _))| changed(key, value)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            inner.remove(&key);
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.values.clear();
        inner.weighs = 0;
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    fn put(&mut self, key: K, value: V) {
        let weight = (self.weight)(&value);
        self.weighs += weight;
        // What had the key before, or had to make room.
        if let Some((_, (_, gone))) = self.values.push(key, (value, weight)) {
            self.weighs -= gone;
        }
        while self.weighs > self.most_weight {
            let Some((_, (_, gone))) = self.values.pop_lru() else { return };
            self.weighs -= gone;
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some((_, gone)) = self.values.pop(key) {
            self.weighs -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let cache = Cache::new(NonZeroUsize::new(2).unwrap(), 9, |_: &&str| 1);
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
        let cache = Cache::new(NonZeroUsize::new(2).unwrap(), 9, |_| 1);
        for key in 0..5 {
            cache.insert(cache.ticket(), key, key);
        }
        assert_eq!([cache.get(&2), cache.get(&3), cache.get(&4)], [None, Some(3), Some(4)]);
        cache.clear();
        assert_eq!(cache.get(&4), None);
    }

    #[test]
    fn it_is_bounded_in_what_values_weigh() {
        let cache = Cache::new(NonZeroUsize::new(9).unwrap(), 10, |value: &usize| *value);
        let put = |key, value| cache.insert(cache.ticket(), key, value);
        put(1, 4);
        put(2, 4);
        put(2, 6);
        assert_eq!([cache.get(&1), cache.get(&2)], [Some(4), Some(6)], "a value that goes takes its weight with it");
        put(3, 5);
        assert_eq!([cache.get(&1), cache.get(&2), cache.get(&3)], [None, None, Some(5)], "the least recently used go");
        put(4, 11);
        assert_eq!([cache.get(&3), cache.get(&4)], [None, None], "what is too heavy alone does not stay");
        put(5, 10);
        cache.forget(&5);
        put(6, 10);
        assert_eq!(cache.get(&6), Some(10));
        cache.forget_where(|_, _| true);
        put(7, 10);
        cache.clear();
        put(8, 10);
        assert_eq!([cache.get(&6), cache.get(&7), cache.get(&8)], [None, None, Some(10)]);
    }
}
