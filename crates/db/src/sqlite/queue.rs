//! A bounded queue of jobs, from which several threads take.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::job::{Job, closed};
use crate::error::Error;

/// Most jobs that may wait; more are refused as busy. At some 5,000 unbatched commits a second these are two seconds of work, and callers
/// have mostly given up after that.
const LONGEST: usize = 10_000;

/// What [`Queue::take`] found.
pub(super) enum Taken {
    /// A job.
    Job(Job),
    /// No job within the timeout.
    Idle,
    /// No job, and none will come.
    Closed,
}

/// A bounded queue of jobs.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    job_added: Condvar,
    gauge: &'static str,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    /// An empty queue, whose length is shown as this gauge.
    pub(super) fn new(gauge: &'static str) -> Queue {
        Queue { waiting: Mutex::default(), job_added: Condvar::new(), gauge }
    }

    /// Adds a job, or refuses it: the queue is full or closed.
    pub(super) fn push(&self, job: Job) -> Result<(), Error> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(closed());
        }
        if waiting.jobs.len() >= LONGEST {
            return Err(Error::Busy(format!("{LONGEST} transactions wait already")));
        }
        waiting.jobs.push_back(job);
        let length = waiting.jobs.len();
        drop(waiting);
        self.job_added.notify_one();
        self.show(length);
        Ok(())
    }

    /// The next job, after a wait of at most `timeout`.
    pub(super) fn take(&self, timeout: Option<Duration>) -> Taken {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                let length = waiting.jobs.len();
                drop(waiting);
                self.show(length);
                return Taken::Job(job);
            }
            if waiting.closed {
                return Taken::Closed;
            }
            waiting = match timeout {
                None => self.job_added.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let (waiting, wait) = self.job_added.wait_timeout(waiting, timeout).unwrap_or_else(PoisonError::into_inner);
                    if wait.timed_out() && waiting.jobs.is_empty() && !waiting.closed {
                        return Taken::Idle;
                    }
                    waiting
                }
            };
        }
    }

    /// Takes no more jobs; those that wait are still handed out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.job_added.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No panic under the lock can leave the queue half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::cast_precision_loss, reason = "a queue's length is far below 2^52")]
    fn show(&self, length: usize) {
        metrics::gauge!(self.gauge).set(length as f64);
    }
}
