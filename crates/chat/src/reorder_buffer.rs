//! Batches that arrived before the one that they follow on.

use contract::log::Batch;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// See the module.
#[derive(Default)]
pub(crate) struct ReorderBuffer {
    /// By partition, first and last position. One that appends nothing comes before one with the same first position.
    batches: BTreeMap<(u16, i64, i64), Arc<Batch>>,
    /// Since when the first of them waits.
    since: Option<Instant>,
}

impl ReorderBuffer {
    pub(crate) fn put(&mut self, batch: Arc<Batch>) {
        self.batches.insert((batch.partition, batch.first, batch.last), batch);
        self.since.get_or_insert_with(Instant::now);
    }

    /// Takes out a batch that follows on `here`, or that has been overtaken by it.
    pub(crate) fn take_next(&mut self, partition: u16, here: i64) -> Option<Arc<Batch>> {
        let (key, _) = self.batches.range((partition, i64::MIN, i64::MIN)..=(partition, here + 1, i64::MAX)).next()?;
        let batch = self.batches.remove(&key.clone());
        if self.batches.is_empty() {
            self.since = None;
        }
        batch
    }

    /// Takes out all of them, by partition and first position.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Arc<Batch>> + use<> {
        std::mem::take(self).batches.into_values()
    }

    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Since when a batch waits.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.since
    }
}
