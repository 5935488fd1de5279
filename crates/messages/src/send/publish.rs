//! After the commit, the rows of a batch, and what it changed of users' own state, are published as one hint, in order, best effort. The writer only puts them into a queue; a task of
//! its own looks up the names that gateways need. A hint that cannot be made is dropped: gateways notice the missing positions and read them
//! from the log.

use crate::resolve::Resolver;
use crate::store::log::LogRow;
use bus::Bus;
use contract::log::{Batch, StateChanges};
use tokio::sync::mpsc;
use vital::Vital;

/// Most batches that may wait. A batch holds up to some thousand rows, so these are seconds of full load.
const QUEUE: usize = 256;

/// What a commit has done.
pub(crate) struct Committed {
    /// The database's epoch.
    pub epoch: u64,
    /// The rows that it has appended.
    pub rows: Vec<LogRow>,
    /// The partition's last position.
    pub position: i64,
    /// What it has changed of users' own state.
    pub state: StateChanges,
}

/// A handle to the task that publishes for one partition.
#[derive(Clone)]
pub(crate) struct Publisher(mpsc::Sender<Committed>);

impl Publisher {
    pub(crate) fn start(part: u16, resolver: Resolver, bus: Bus, vital: &Vital) -> Self {
        let (queue, committed) = mpsc::channel(QUEUE);
        tokio::spawn(vital.keep("a publisher of the log", run(part, committed, resolver, bus)));
        Self(queue)
    }

    /// Queues one commit. Called in the order of commits.
    pub(crate) fn committed(&self, committed: Committed) {
        let tells = !(committed.rows.is_empty() && committed.state.keys.is_empty());
        if tells && self.0.try_send(committed).is_err() {
            tracing::warn!("a batch of the log was not published: publishing is behind; gateways will read it from the log");
        }
    }
}

async fn run(part: u16, mut committed: mpsc::Receiver<Committed>, resolver: Resolver, bus: Bus) {
    while let Some(Committed { epoch, rows, position: last, state }) = committed.recv().await {
        let first = rows.first().map_or(last + 1, |row| row.position);
        match resolver.entries(rows).await {
            Ok(entries) => bus.publish(Batch { epoch, partition: part, first, last, entries, state: Some(state) }),
            Err(refusal) => {
                tracing::warn!(%refusal, first, last, "a batch of the log was not published; gateways will read it from the log")
            }
        }
    }
}
