//! A NATS server of its own.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::process::{Process, command, free_port};

/// A running server; it ends with this.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    program: PathBuf,
    folder: PathBuf,
    pin: bool,
    addr: SocketAddr,
}

/// For a start.
const START: Duration = Duration::from_secs(20);

impl Nats {
    /// Starts one on a free port of 127.0.0.1, its log in this folder; `pin`: on the servers' core.
    ///
    /// # Errors
    /// There is none on this machine, or it does not start.
    pub fn start(folder: &Path, pin: bool) -> Result<Self> {
        let (program, addr) = (binary()?, SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        Ok(Self { process: launch(&program, folder, pin, addr)?, program, folder: folder.to_owned(), pin, addr })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again, on the same port.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.process = launch(&self.program, &self.folder, self.pin, self.addr)?;
        Ok(())
    }
}

fn launch(program: &Path, folder: &Path, pin: bool, addr: SocketAddr) -> Result<Process> {
    let (program, ip, port) = (program.to_string_lossy(), addr.ip().to_string(), addr.port().to_string());
    let command = command(&program, &["-a", &ip, "-p", &port], pin);
    let ready = |log: &str| log.contains("Server is ready").then_some(());
    let (process, ()) = Process::start("nats-server", command, &folder.join("nats.log"), START, ready)?;
    // It says so a moment before it listens.
    let until = Instant::now() + START;
    while TcpStream::connect(addr).is_err() {
        if Instant::now() > until {
            bail!("nats-server is ready and does not listen on {addr}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(process)
}

fn binary() -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&folders).chain(["/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map(PathBuf::from));
    let found = known.map(|folder| folder.join("nats-server")).find(|file| file.exists());
    found.context("no NATS server is installed: apt-get install nats-server")
}
