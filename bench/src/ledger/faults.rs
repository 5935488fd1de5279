//! Does to the server and its connections what the plan says, on a thread of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::disk::{Disk, Failure};
use super::plan::{BREATH, Fault, Kind};
use super::proxy::Proxy;
use crate::target::Server;

/// What the thread tells.
#[derive(Clone, Debug)]
pub enum Note {
    /// The fault of this number begins.
    Began(usize, Kind, Instant),
    /// It is over: what follows is the server's to do.
    Ended(usize, Instant),
    /// The server did not start at once; why.
    NotStarted(String),
}

/// What faults are done to.
#[derive(Clone)]
pub struct Stage {
    /// The way to the server.
    pub proxy: Arc<Proxy>,
    /// The server's disk.
    pub disk: Disk,
    /// Its database.
    pub database: PathBuf,
    /// Whether the service is back since the last fault, as far as the clients can tell.
    pub calm: Arc<AtomicBool>,
}

/// The thread.
pub struct Faults {
    /// What it tells.
    pub notes: Receiver<Note>,
    thread: JoinHandle<Result<Server>>,
}

/// A server that is killed on a full disk or a locked file may start only once that is over.
const START: Duration = Duration::from_secs(60);
/// Where the service is not back after so long, the next fault comes all the same.
const CALM: Duration = Duration::from_secs(20);
/// As long as a supervisor would wait.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Another process that wants the lock waits as long as this for it.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

impl Faults {
    /// Begins the plan.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn begin(plan: Vec<Fault>, server: Server, stage: Stage) -> Result<Self> {
        let (tell, notes) = channel();
        let run = move || Running { pid: Arc::default(), under_way: Vec::new(), server, stage, tell }.run(&plan);
        Ok(Self { notes, thread: std::thread::Builder::new().name("faults".to_owned()).spawn(run)? })
    }

    /// Whether the plan is through.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// The server, after the plan.
    ///
    /// # Errors
    /// A fault could not be done, the server does not start any more.
    pub fn end(self) -> Result<Server> {
        self.thread.join().map_err(|_| anyhow!("the thread of the faults has panicked"))?
    }
}

struct Running {
    /// The server, while it may be sent signals.
    pid: Arc<Mutex<Option<Pid>>>,
    under_way: Vec<JoinHandle<Result<()>>>,
    server: Server,
    stage: Stage,
    tell: Sender<Note>,
}

impl Running {
    fn run(mut self, plan: &[Fault]) -> Result<Server> {
        self.note_pid();
        let mut began = Instant::now();
        for (number, fault) in plan.iter().enumerate() {
            if let Some(into) = fault.into_last {
                sleep_until(began + into);
            } else {
                self.wait()?;
                let over = Instant::now();
                sleep_until((over + BREATH).max(began + fault.after));
                while !self.stage.calm.load(Ordering::Relaxed) && over.elapsed() < CALM {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            began = Instant::now();
            self.note(Note::Began(number, fault.kind, began));
            match fault.kind {
                Kind::Kill => self.kill(number, fault.lasts)?,
                Kind::Cut => {
                    self.stage.proxy.cut(fault.share, fault.knife);
                    self.note(Note::Ended(number, Instant::now()));
                }
                _ => self.lasting(number, *fault)?,
            }
        }
        self.wait()?;
        Ok(self.server)
    }

    fn note(&self, note: Note) {
        // Nobody listens where the run has failed elsewhere, which is told there.
        let _ = self.tell.send(note);
    }

    fn note_pid(&self) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) =
            self.server.target().pids.first().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    }

    fn wait(&mut self) -> Result<()> {
        for thread in self.under_way.drain(..) {
            thread.join().map_err(|_| anyhow!("the thread of a fault has panicked"))??;
        }
        Ok(())
    }

    fn kill(&mut self, number: usize, away: Duration) -> Result<()> {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.server.kill().context("the server cannot be killed")?;
        std::thread::sleep(away);
        let ended = Instant::now();
        self.note(Note::Ended(number, ended));
        while let Err(error) = self.server.restart() {
            if ended.elapsed() > START {
                return Err(error.context("the server does not start again"));
            }
            self.note(Note::NotStarted(format!("{error:#}")));
            std::thread::sleep(TRY_AGAIN);
        }
        self.note_pid();
        Ok(())
    }

    /// A fault with a beginning and an end, on a thread of its own: another may come meanwhile.
    fn lasting(&mut self, number: usize, fault: Fault) -> Result<()> {
        let (stage, pid, tell) = (self.stage.clone(), Arc::clone(&self.pid), self.tell.clone());
        let run = move || {
            let outcome = carry_out(fault, &stage, &pid);
            let _ = tell.send(Note::Ended(number, Instant::now()));
            outcome.with_context(|| format!("the fault {:?} could not be done", fault.kind))
        };
        self.under_way.push(std::thread::Builder::new().name("fault".to_owned()).spawn(run)?);
        Ok(())
    }
}

fn carry_out(fault: Fault, stage: &Stage, pid: &Mutex<Option<Pid>>) -> Result<()> {
    let broken = |how: Failure| {
        stage.disk.fail(how)?;
        std::thread::sleep(fault.lasts);
        stage.disk.mend(how);
        Ok(())
    };
    match fault.kind {
        Kind::Stop => {
            // Held while a signal is sent, so that it cannot meet another process of the same number.
            let signal = |signal| pid.lock().unwrap_or_else(PoisonError::into_inner).map(|pid| kill_process(pid, signal)).transpose();
            signal(Signal::STOP)?;
            std::thread::sleep(fault.lasts);
            signal(Signal::CONT)?;
            Ok(())
        }
        Kind::Stall => {
            stage.proxy.stall(fault.share, fault.to_clients, fault.lasts);
            std::thread::sleep(fault.lasts);
            Ok(())
        }
        Kind::Full => broken(Failure::Full),
        Kind::SyncFails => broken(Failure::Sync),
        Kind::Lock => {
            let other = Connection::open_with_flags(&stage.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            other.busy_timeout(LOCK_PATIENCE)?;
            other.execute_batch("BEGIN IMMEDIATE")?;
            std::thread::sleep(fault.lasts);
            other.execute_batch("ROLLBACK")?;
            Ok(())
        }
        Kind::Kill | Kind::Cut => Ok(()),
    }
}

fn sleep_until(until: Instant) {
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}
