//! What waits for a thread: a queue that several may take from, bounded, closed at the end.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Job, closed};
use crate::error::Error;

/// More waiting transactions than this are refused as busy: at some 5,000 unbatched commits a second they are two
/// seconds of work, and who waits longer than that has given up.
const LONGEST: usize = 10_000;

/// What [`Queue::take`] found.
pub(super) enum Taken {
    /// Something to do.
    Job(Job),
    /// Nothing, for as long as it was willing to wait.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

/// A bounded queue of jobs.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    came: Condvar,
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
        Queue { waiting: Mutex::default(), came: Condvar::new(), gauge }
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
        self.came.notify_one();
        self.show(length);
        Ok(())
    }

    /// The next job, after a wait of at most `patience`.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
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
            waiting = match patience {
                None => self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let (waiting, wait) = self.came.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
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
        self.came.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is done under the lock that could leave the queue half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::cast_precision_loss, reason = "a queue's length is far below 2^52")]
    fn show(&self, length: usize) {
        metrics::gauge!(self.gauge).set(length as f64);
    }
}
