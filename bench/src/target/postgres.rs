//! A PostgreSQL server of its own, whose commits are on disk when it says so (`fsync` is on, as it is by default).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::process::{Process, command, free_port, tail};

/// A running server; it ends with this.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    binaries: PathBuf,
    folder: PathBuf,
    pin: bool,
    port: u16,
}

/// For a start, which reads what a killed one has left to be read.
const START: Duration = Duration::from_secs(60);
/// So long may a process of a killed server be there: the new one refuses until it is not.
const LEFT_OVER: Duration = Duration::from_secs(10);

impl Postgres {
    /// Makes a cluster with an empty database `guild` in this folder, and starts a server on it at a free port of 127.0.0.1; `pin`: on
    /// the servers' core.
    ///
    /// # Errors
    /// There is none on this machine, or it does not start.
    pub fn start(folder: &Path, pin: bool) -> Result<Self> {
        let (binaries, port) = (binaries()?, free_port()?);
        fs::create_dir_all(folder)?;
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder))?;
        }
        let data = folder.join("data");
        let data = data.to_string_lossy();
        let words = ["-D", &data, "-U", "guild", "-A", "trust", "-E", "UTF8", "--no-locale"];
        run(unprivileged(&binaries, "initdb", &words, pin).current_dir(folder))?;
        let process = launch(&binaries, folder, port, pin)?;
        let number = port.to_string();
        run(&mut unprivileged(&binaries, "createdb", &["-h", "127.0.0.1", "-p", &number, "-U", "guild", "guild"], pin))?;
        Ok(Self { process, binaries, folder: folder.to_owned(), pin, port })
    }

    /// Where it is, as `database.url` says it.
    pub fn url(&self) -> String {
        format!("postgres://guild@127.0.0.1:{}/guild", self.port)
    }

    /// `kill -9` of the server and of every process that it has started.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        let own = self.process.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        // The server first: it starts anew what it sees end.
        self.process.kill()?;
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()).filter_map(Pid::from_raw) {
            // One that has ended meanwhile cannot be told.
            let _ = kill_process(child, Signal::KILL);
        }
        Ok(())
    }

    /// Starts it again on the same port and data.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        let until = Instant::now() + LEFT_OVER;
        loop {
            match launch(&self.binaries, &self.folder, self.port, self.pin) {
                Ok(process) => {
                    self.process = process;
                    return Ok(());
                }
                Err(error) => {
                    let said = format!("{error:#}");
                    let left_over = said.contains("still in use") || said.contains("shared memory");
                    if !left_over || Instant::now() > until {
                        return Err(error);
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to stop, without waiting for its clients.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop(Signal::INT)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its processes outlive a server that is killed for a moment, and would write into a folder that goes.
        let _ = self.stop();
    }
}

fn launch(binaries: &Path, folder: &Path, port: u16, pin: bool) -> Result<Process> {
    let (data, port, at) = (folder.join("data"), port.to_string(), folder.to_string_lossy());
    let data = data.to_string_lossy();
    let words = ["-D", &data, "-k", &at, "-p", &port, "-c", "listen_addresses=127.0.0.1", "-c", "lc_messages=C"];
    let mut command = unprivileged(binaries, "postgres", &words, pin);
    command.current_dir(folder);
    let ready = |log: &str| log.contains("ready to accept connections").then_some(());
    Ok(Process::start("PostgreSQL", command, &folder.join("postgres.log"), START, ready)?.0)
}

/// The folder of the newest server that is installed.
fn binaries() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let whole = versions.filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    let number = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    whole.max_by_key(number).context("no PostgreSQL server is installed: apt-get install postgresql")
}

/// A program of PostgreSQL, as a user that it accepts: it refuses to run as root.
fn unprivileged(binaries: &Path, name: &str, words: &[&str], pin: bool) -> Command {
    let program = binaries.join(name);
    let program = program.to_string_lossy();
    if !is_root() {
        return command(&program, words, pin);
    }
    let other = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--", &program];
    command("setpriv", &[&other, words].concat(), pin)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{:?} failed: {}", command.get_program(), tail(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}
