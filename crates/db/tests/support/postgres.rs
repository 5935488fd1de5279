//! A PostgreSQL server for one test: in a folder of its own, reached by a socket in that folder, so that any number
//! run side by side. Other crates' tests take this file by `#[path = "../../db/tests/support/postgres.rs"]`.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running server; it ends, and its folder goes, with this.
pub struct Server {
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Makes a cluster and starts a server on it; panics, and says what to install, if there is no PostgreSQL.
    pub fn start() -> Server {
        let binaries = binaries();
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        if is_root() {
            // PostgreSQL refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        run(unprivileged(&binaries.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .current_dir(folder.path()));
        let mut process = unprivileged(&binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "log_min_messages=warning", "-c", "lc_messages=C"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says so when it is ready, and may say more later, which somebody must read.
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("ready to accept connections") {
            assert!(log.read_line(&mut said).unwrap() > 0, "PostgreSQL did not start:\n{said}");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Server { process, folder }
    }

    /// Where it is, as `database.url` says it.
    pub fn url(&self) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{folder}/postgres")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; the child is the server itself.
        let stopped = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// The folder of the newest server that is installed.
fn binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    versions.sort();
    versions.pop().expect("this test needs a PostgreSQL server of its own: apt-get install postgresql-15")
}

/// The program as a user that PostgreSQL accepts; it is ended when this test's thread ends, however it does.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let name = command.get_program().to_owned();
    assert!(output.status.success(), "{:?}: {}", OsStr::new(&name), String::from_utf8_lossy(&output.stderr));
}
