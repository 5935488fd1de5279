//! After the commit, the rows of a batch are published as one hint, in order, best effort. The writer only puts them into a queue; a task of
//! its own looks up the names that gateways need. A hint that cannot be made is dropped: gateways notice the missing positions and read them
//! from the log.

use crate::resolve::Resolver;
use crate::store::log::LogRow;
use bus::Bus;
use contract::log::Batch;
use tokio::sync::mpsc;
use vital::Vital;

/// Most batches that may wait. A batch holds up to some thousand rows, so these are seconds of full load.
const QUEUE: usize = 256;

/// A handle to the task that publishes for one partition.
#[derive(Clone)]
pub(crate) struct Publisher(mpsc::Sender<(u64, Vec<LogRow>)>);

impl Publisher {
    pub(crate) fn start(part: u16, resolver: Resolver, bus: Bus, vital: &Vital) -> Self {
        let (queue, committed) = mpsc::channel(QUEUE);
        tokio::spawn(vital.keep("a publisher of the log", run(part, committed, resolver, bus)));
        Self(queue)
    }

    /// Queues the rows of one commit, with the database's epoch. Called in the order of commits.
    pub(crate) fn committed(&self, epoch: u64, rows: Vec<LogRow>) {
        if !rows.is_empty() && self.0.try_send((epoch, rows)).is_err() {
            tracing::warn!("a batch of the log was not published: publishing is behind; gateways will read it from the log");
        }
    }
}

async fn run(part: u16, mut committed: mpsc::Receiver<(u64, Vec<LogRow>)>, resolver: Resolver, bus: Bus) {
    while let Some((epoch, rows)) = committed.recv().await {
        let (Some(first), Some(last)) = (rows.first().map(|row| row.position), rows.last().map(|row| row.position)) else { continue };
        match resolver.entries(rows).await {
            Ok(entries) => bus.publish(Batch { epoch, partition: part, first, last, entries }),
            Err(refusal) => {
                tracing::warn!(%refusal, first, last, "a batch of the log was not published; gateways will read it from the log")
            }
        }
    }
}
