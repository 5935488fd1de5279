//! Has done what the plan says, on a thread of its own, and tells when each fault began and ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::deployments::Deployment;
use super::fault_events::{FaultEvent, FaultReporter};
use super::plan::{BREATH, Fault};

/// The thread.
pub struct Faults {
    /// What it tells.
    pub notes: Receiver<FaultEvent>,
    thread: JoinHandle<Result<()>>,
}

/// Where the service is not back after so long, the next fault comes all the same.
const CALM: Duration = Duration::from_secs(20);

impl Faults {
    /// Begins the plan; `calm` says whether the service is back since the last fault, as far as the clients can tell.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn begin(plan: Vec<Fault>, deployment: Arc<dyn Deployment>, calm: Arc<AtomicBool>) -> Result<Self> {
        let (tell, notes) = channel();
        let run = move || Running { under_way: Vec::new(), deployment, calm, tell }.run(&plan);
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
    deployment: Arc<dyn Deployment>,
    calm: Arc<AtomicBool>,
    tell: Sender<FaultEvent>,
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
            let _ = self.tell.send(FaultEvent::Began(number, fault.kind, began));
            let (deployment, tell, fault) = (Arc::clone(&self.deployment), self.tell.clone(), *fault);
            let run = move || {
                let told = deployment.carry_out(&fault, &FaultReporter::new(number, &tell));
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
