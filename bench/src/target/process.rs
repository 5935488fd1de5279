//! A server's process: started with its log in a file, waited for until the log says that it serves, sent signals, ended.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::machine::{SERVER_CORE, has_two_cores};
use crate::random::Random;

/// A process that this program has started; it ends with this.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

/// How often a log is read for what is waited for.
const LOOK: Duration = Duration::from_millis(5);

impl Process {
    /// Starts it, what it says at the end of this log, and waits until `said` finds there what tells that it serves; `name` is for
    /// errors.
    ///
    /// # Errors
    /// It cannot be started, ends before, or says nothing within `patience`; with the end of its log.
    pub fn start<T>(
        name: &str,
        mut command: Command,
        log: &Path,
        patience: Duration,
        mut said: impl FnMut(&str) -> Option<T>,
    ) -> Result<(Self, T)> {
        let file = File::options().create(true).append(true).open(log)?;
        let from = usize::try_from(file.metadata()?.len())?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let mut process = Self { name: name.to_owned(), log: log.to_owned(), child };
        let until = Instant::now() + patience;
        loop {
            // Asked before the log is read, so that its last words are among what is read.
            let ended = process.child.try_wait()?;
            let all = fs::read(&process.log).unwrap_or_default();
            let text = String::from_utf8_lossy(all.get(from..).unwrap_or_default());
            if let Some(found) = said(&text) {
                return Ok((process, found));
            }
            if let Some(status) = ended {
                bail!("{} ended at once ({status}); its log ends so:\n{}", process.name, tail(&text));
            }
            if Instant::now() > until {
                bail!("{} does not listen after {} s; its log ends so:\n{}", process.name, patience.as_secs(), tail(&text));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop with this signal, and waits; kills it after ten seconds.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stop(&mut self, signal: Signal) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal(signal)?;
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        self.kill()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// This program with these arguments, on the servers' core where it shall be kept there.
pub fn command(program: &str, arguments: &[&str], pin: bool) -> Command {
    if !pin || !has_two_cores() {
        let mut command = Command::new(program);
        command.args(arguments);
        return command;
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &SERVER_CORE.to_string(), program]).args(arguments);
    command
}

/// The end of a log.
pub fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}

/// A port of 127.0.0.1 that nobody has, below those that the kernel gives to connections: a server that was killed finds it free.
///
/// # Errors
/// All that were tried are taken.
pub fn free_port() -> Result<u16> {
    let mut random = Random::new(Random::any_seed());
    for _ in 0..1_000 {
        let port = u16::try_from(random.between(10_000, 32_000))?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free on 127.0.0.1")
}
