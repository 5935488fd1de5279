//! Starting servers: ours, and the peers of `bench/peers`. Each writes what it says to `server.log` in its folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::machine::{SERVER_CORE, has_two_cores};
use super::process::{Process, tail};
use super::reach::{Dialect, Target};
use super::tokens::{SECRET, Tokens};

/// The servers of `bench/peers`.
pub const PEERS: [&str; 4] = ["flask", "node", "oxide", "limit"];

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Launch {
    /// `guild`, or one of [`PEERS`].
    pub name: String,
    /// Where its log goes, and its database where no other is named.
    pub folder: PathBuf,
    /// Our program; built by cargo where none is named.
    pub guild: Option<PathBuf>,
    /// The database file, for ours.
    pub database: Option<PathBuf>,
    /// 0 takes a free one.
    pub port: u16,
    /// On its own core.
    pub pin: bool,
    /// More environment: settings of ours.
    pub settings: Vec<(String, String)>,
}

impl Launch {
    /// This server in this folder, on a free port and its own core, with its own settings.
    pub fn new(name: &str, folder: &Path) -> Self {
        let (name, folder) = (name.to_owned(), folder.to_owned());
        Self { name, folder, guild: None, database: None, port: 0, pin: true, settings: Vec::new() }
    }

    /// Where its database is.
    pub fn database(&self) -> PathBuf {
        self.database.clone().unwrap_or_else(|| self.folder.join("guild.db"))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn command(&self) -> Result<Command> {
        let mut words = if self.name == "guild" {
            vec![guild(self.guild.as_deref())?.into_os_string()]
        } else {
            let script = peer_script()?;
            vec![script.into(), "serve".into(), self.name.clone().into(), self.port.to_string().into(), self.folder.clone().into()]
        };
        if self.pin && has_two_cores() {
            words.splice(0..0, ["taskset".into(), "-c".into(), SERVER_CORE.to_string().into()]);
        }
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().context("nothing to start")?);
        command.args(words).current_dir(&self.folder);
        if self.name == "guild" {
            // What the developer's shell sets must not change the figures.
            for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GUILD_")) {
                command.env_remove(name);
            }
            command
                .env("GUILD_LISTEN", format!("127.0.0.1:{}", self.port))
                .env("GUILD_DATABASE_URL", format!("sqlite://{}", self.database().display()))
                .env("GUILD_AUTH_MODE", "jwt")
                .env("GUILD_AUTH_JWT_SECRET", SECRET);
            for limit in [
                "ROOM_USERNAMES",
                "SENDS_PER_SECOND",
                "SENDS_BURST",
                "ROOMS_PER_MINUTE",
                "CHANGES_PER_SECOND",
                "READS_PER_SECOND",
                "UNAUTHENTICATED_PER_MINUTE",
                "LOGINS_PER_MINUTE",
                "SOCKETS_PER_ADDRESS",
            ] {
                command.env(format!("GUILD_LIMITS_{limit}"), "0");
            }
            command.envs(self.settings.iter().cloned());
        }
        Ok(command)
    }
}

impl Launch {
    /// Has `guild check` look at its database: whether all promises are kept, and what it printed.
    ///
    /// # Errors
    /// The program cannot be run.
    pub fn check(&self) -> Result<(bool, String)> {
        let checked = self.command()?.arg("check").stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
        Ok((checked.status.success(), said.trim_end().to_owned()))
    }
}

/// A server that this program has started; it ends with this.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    process: Process,
    addr: SocketAddr,
}

/// Longer than opening a database of gigabytes takes.
const START: Duration = Duration::from_secs(60);

impl Server {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or ends at once; with the end of its log.
    pub fn start(launch: Launch) -> Result<Self> {
        fs::create_dir_all(&launch.folder)?;
        let (process, addr) = Process::start(&launch.name, launch.command()?, &launch.log(), START, listens_on)?;
        let addr = addr.parse().with_context(|| format!("{} listens on {addr:?}", launch.name))?;
        Ok(Self { launch, process, addr })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How to reach it.
    pub fn target(&self) -> Target {
        let dialect = if self.launch.name == "guild" { Dialect::Guild } else { Dialect::Peer };
        let (name, tokens) = (self.launch.name.clone(), Tokens::new(SECRET));
        Target { name, dialect, addr: self.addr, others: Vec::new(), pids: vec![self.process.id()], tokens }
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again where it was, on the same port.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn restart(&mut self) -> Result<()> {
        let again = Launch { port: self.addr.port(), ..self.launch.clone() };
        *self = Self::start(again)?;
        Ok(())
    }

    /// Asks it to stop, and waits; kills it after ten seconds.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop(Signal::TERM)
    }
}

/// The address that a log tells, once its line is whole.
fn listens_on(log: &str) -> Option<String> {
    let (line, _) = log.split_once("listening on ")?.1.split_once('\n')?;
    Some(line.trim().trim_start_matches("http://").split_whitespace().next().unwrap_or_default().to_owned())
}

/// Makes ready what can be started by this name: builds ours, or installs a peer.
///
/// # Errors
/// What is missing, and how to get it.
pub fn prepare(name: &str, guild_program: Option<&Path>) -> Result<()> {
    if name == "guild" {
        return guild(guild_program).map(drop);
    }
    let script = peer_script()?;
    let made = Command::new(&script).args(["prepare", name]).stdin(Stdio::null()).output()?;
    if made.status.success() {
        return Ok(());
    }
    bail!("the peer {name} cannot be had: {}", tail(&(String::from_utf8_lossy(&made.stdout) + String::from_utf8_lossy(&made.stderr))));
}

fn peer_script() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/peer");
    if !script.exists() {
        bail!("{} is missing: the peers are started from the project's own folder", script.display());
    }
    Ok(script)
}

/// Our program: the named one, or the one that cargo builds beside this one, from the sources as they are.
fn guild(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return named.canonicalize().with_context(|| format!("--guild {}", named.display()));
    }
    static BUILT: std::sync::OnceLock<Result<(), String>> = std::sync::OnceLock::new();
    let own = std::env::current_exe()?;
    let path = own.with_file_name("guild");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let built = BUILT.get_or_init(|| {
            let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--release", "--package", "guild", "--manifest-path"]).arg(manifest);
            match build.status() {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("cargo build --release -p guild failed ({status})")),
                Err(error) => Err(format!("cargo cannot be run: {error}")),
            }
        });
        if let Err(error) = built {
            bail!("{error}");
        }
    }
    if !path.exists() {
        bail!("{} is missing: cargo build --release -p guild, or name the program with --guild", path.display());
    }
    Ok(path)
}
