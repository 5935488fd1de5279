//! A job: what a thread takes from its queue.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::tx::Tx;

/// A transaction from its begin to its answer.
pub(super) type Job = Box<dyn FnOnce(&mut Tx) + Send>;

/// Runs a job. A panic ends this job alone, even one outside of the transaction's own guard. The next job first undoes what is left.
pub(super) fn run(job: Job, tx: &mut Tx) {
    if catch_unwind(AssertUnwindSafe(|| job(tx))).is_err() {
        tracing::error!("a panic around a transaction was caught; the thread goes on");
    }
}

/// The answer to a job that comes after the close.
pub(super) fn closed() -> Error {
    Error::Busy("it is closed".to_owned())
}
