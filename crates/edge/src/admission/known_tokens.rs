//! Tokens that were valid when they were last shown.

use lru::LruCache;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// How many are remembered; past it the one that was shown the longest time ago is forgotten.
const TOKENS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// The tokens, each as a hash under a key of this process. Where two hashes collide, a bad token is looked up that need not be.
pub(super) struct KnownTokens {
    hasher: RandomState,
    valid: Mutex<LruCache<u64, ()>>,
}

impl Default for KnownTokens {
    fn default() -> Self {
        Self { hasher: RandomState::new(), valid: Mutex::new(LruCache::new(TOKENS)) }
    }
}

impl KnownTokens {
    pub(super) fn contains(&self, token: &str) -> bool {
        self.with(|valid| valid.get(&self.hasher.hash_one(token)).is_some())
    }

    pub(super) fn insert(&self, token: &str) {
        self.with(|valid| valid.put(self.hasher.hash_one(token), ()));
    }

    pub(super) fn remove(&self, token: &str) {
        self.with(|valid| valid.pop(&self.hasher.hash_one(token)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut LruCache<u64, ()>) -> T) -> T {
        act(&mut self.valid.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
