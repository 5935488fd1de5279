//! What all threads of a SQLite database share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::watch;
use vital::Vital;

/// See the module.
pub(crate) struct Shared {
    /// The threads.
    pub(super) vital: Vital,
    /// How often another process has written.
    pub(super) foreign: watch::Sender<u64>,
    /// The database's epoch.
    pub(super) epoch: AtomicU64,
    /// Statements that services have run.
    pub(super) statements: AtomicU64,
}

impl Shared {
    pub(super) fn new(epoch: u64) -> Arc<Shared> {
        let (foreign, epoch, statements) = (watch::Sender::new(0), AtomicU64::new(epoch), AtomicU64::new(0));
        Arc::new(Shared { vital: Vital::new(), foreign, epoch, statements })
    }
}
