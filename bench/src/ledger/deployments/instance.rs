//! One process of guild, as faults see it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::ledger::fault_events::FaultReporter;
use crate::target::{Launch, Server};

/// A process that is killed, started again and stopped for a while.
pub struct Instance {
    /// Taken for as long as a kill and the restart after it take.
    server: Mutex<Server>,
    /// The process, while it may be sent signals.
    pid: Mutex<Option<Pid>>,
    addr: SocketAddr,
}

impl Instance {
    /// Starts it.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(launch: Launch) -> Result<Self> {
        let server = Server::start(launch)?;
        let (pid, addr) = (Mutex::new(pid_of(&server)), server.addr());
        Ok(Self { server: Mutex::new(server), pid, addr })
    }

    /// Where it listens, also after a restart.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The server, while it is not being killed.
    pub fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pid(&self) -> MutexGuard<'_, Option<Pid>> {
        self.pid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kill -9`, and a restart after this time.
    ///
    /// # Errors
    /// The kernel refuses; it does not start again.
    pub fn kill(&self, away: Duration, told: &FaultReporter<'_>) -> Result<()> {
        let mut server = self.server();
        *self.pid() = None;
        server.kill().context("the server cannot be killed")?;
        std::thread::sleep(away);
        told.ended();
        told.restart(|| server.restart())?;
        *self.pid() = pid_of(&server);
        Ok(())
    }

    /// SIGSTOP, and SIGCONT after this time.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn pause(&self, lasts: Duration) -> Result<()> {
        // Held while a signal is sent, so that it cannot meet another process of the same number.
        let signal = |signal| self.pid().map(|pid| kill_process(pid, signal)).transpose();
        signal(Signal::STOP)?;
        std::thread::sleep(lasts);
        signal(Signal::CONT)?;
        Ok(())
    }
}

fn pid_of(server: &Server) -> Option<Pid> {
    server.target().pids.first().and_then(|pid| Pid::from_raw(pid.cast_signed()))
}
