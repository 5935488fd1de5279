//! Asking once: for a thing, and for a thing of each key.

use contract::Refusal;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Something that is asked for once.
pub(crate) type Once<T> = OnceCell<Result<T, Refusal>>;

/// Something that is asked for once for each key.
pub(crate) struct OncePer<K, T>(Mutex<HashMap<K, Arc<Once<T>>>>);

impl<K, T> Default for OncePer<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Clone> OncePer<K, T> {
    pub(crate) async fn get(&self, key: K, ask: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        let once = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        once.get_or_init(|| ask).await.clone()
    }
}
