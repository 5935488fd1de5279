//! Has done what the plan says, on a thread of its own, and tells when each fault began and ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::plan::{BREATH, Fault, Kind};
use super::scenes::Scene;

/// What the thread tells.
#[derive(Clone, Debug)]
pub enum Note {
    /// The fault of this number begins.
    Began(usize, Kind, Instant),
    /// It is over: what follows is the service's to do.
    Ended(usize, Instant),
    /// Something did not start at once; why.
    NotStarted(String),
}

/// A fault under way.
pub struct Teller<'a> {
    number: usize,
    tell: &'a Sender<Note>,
}

impl Teller<'_> {
    /// It is over.
    pub fn ended(&self) {
        self.note(Note::Ended(self.number, Instant::now()));
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
            self.note(Note::NotStarted(format!("{error:#}")));
            std::thread::sleep(TRY_AGAIN);
        }
        Ok(())
    }

    fn note(&self, note: Note) {
        // Nobody listens where the run has failed elsewhere, which is told there.
        let _ = self.tell.send(note);
    }
}

/// The thread.
pub struct Faults {
    /// What it tells.
    pub notes: Receiver<Note>,
    thread: JoinHandle<Result<()>>,
}

/// A server that is killed on a full disk or a locked file may start only once that is over.
const START: Duration = Duration::from_secs(60);
/// Where the service is not back after so long, the next fault comes all the same.
const CALM: Duration = Duration::from_secs(20);
/// As long as a supervisor would wait.
const TRY_AGAIN: Duration = Duration::from_millis(250);

impl Faults {
    /// Begins the plan; `calm` says whether the service is back since the last fault, as far as the clients can tell.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn begin(plan: Vec<Fault>, scene: Arc<dyn Scene>, calm: Arc<AtomicBool>) -> Result<Self> {
        let (tell, notes) = channel();
        let run = move || Running { under_way: Vec::new(), scene, calm, tell }.run(&plan);
        Ok(Self { notes, thread: std::thread::Builder::new().name("faults".to_owned()).spawn(run)? })
    }

    /// Whether the plan is through.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// After the plan.
    ///
    /// # Errors
    /// A fault could not be done, a server does not start any more.
    pub fn end(self) -> Result<()> {
        self.thread.join().map_err(|_| anyhow!("the thread of the faults has panicked"))?
    }
}

struct Running {
    under_way: Vec<JoinHandle<Result<()>>>,
    scene: Arc<dyn Scene>,
    calm: Arc<AtomicBool>,
    tell: Sender<Note>,
}

impl Running {
    fn run(mut self, plan: &[Fault]) -> Result<()> {
        let mut began = Instant::now();
        for (number, fault) in plan.iter().enumerate() {
            if let Some(into) = fault.into_last {
                sleep_until(began + into);
            } else {
                self.wait()?;
                let over = Instant::now();
                sleep_until((over + BREATH).max(began + fault.after));
                while !self.calm.load(Ordering::Relaxed) && over.elapsed() < CALM {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            began = Instant::now();
            // Nobody listens where the run has failed elsewhere, which is told there.
            let _ = self.tell.send(Note::Began(number, fault.kind, began));
            let (scene, tell, fault) = (Arc::clone(&self.scene), self.tell.clone(), *fault);
            let run = move || {
                let told = scene.carry_out(&fault, &Teller { number, tell: &tell });
                told.with_context(|| format!("the fault {:?} could not be done", fault.kind))
            };
            if fault.kind.is_awaited() {
                run()?;
            } else {
                // Another may come meanwhile.
                self.under_way.push(std::thread::Builder::new().name("fault".to_owned()).spawn(run)?);
            }
        }
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        for thread in self.under_way.drain(..) {
            thread.join().map_err(|_| anyhow!("the thread of a fault has panicked"))??;
        }
        Ok(())
    }
}

fn sleep_until(until: Instant) {
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}
