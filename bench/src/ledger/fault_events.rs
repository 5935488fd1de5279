//! What is told of the faults: when each begins and ends, and what does not start at once.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::plan::Kind;

/// A server that is killed on a full disk or a locked file may start only once that is over.
const START: Duration = Duration::from_secs(60);
/// As long as a supervisor would wait.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// What the thread tells.
#[derive(Clone, Debug)]
pub enum FaultEvent {
    /// The fault of this number begins.
    Began(usize, Kind, Instant),
    /// It is over: what follows is the service's to do.
    Ended(usize, Instant),
    /// Something did not start at once; why.
    NotStarted(String),
}

/// A fault under way.
pub struct FaultReporter<'a> {
    number: usize,
    tell: &'a Sender<FaultEvent>,
}

impl<'a> FaultReporter<'a> {
    /// Of the fault of this number.
    pub fn new(number: usize, tell: &'a Sender<FaultEvent>) -> Self {
        Self { number, tell }
    }

    /// It is over.
    pub fn ended(&self) {
        self.note(FaultEvent::Ended(self.number, Instant::now()));
    }

    /// Has what was killed started again, until it does: it may be able to only once another fault is over.
    ///
    /// # Errors
    /// It has not started within a minute.
    pub fn restart(&self, mut start: impl FnMut() -> Result<()>) -> Result<()> {
        let since = Instant::now();
        while let Err(error) = start() {
            if since.elapsed() > START {
                return Err(error.context("it does not start again"));
            }
            self.note(FaultEvent::NotStarted(format!("{error:#}")));
            std::thread::sleep(TRY_AGAIN);
        }
        Ok(())
    }

    fn note(&self, note: FaultEvent) {
        // Nobody listens where the run has failed elsewhere, which is told there.
        let _ = self.tell.send(note);
    }
}
