//! A PostgreSQL server for one test: in a folder of its own, reached by a socket in that folder, so that any number
//! run side by side. Other crates' tests take this file by `#[path = "../../db/tests/support/postgres.rs"]`.

// Each taker uses a part of it.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A running server; it ends, and its folder goes, with this.
pub struct Server {
    process: Child,
    folder: TempDir,
    options: Vec<String>,
    port: u16,
}

impl Server {
    /// Makes a cluster and starts a server on it, reached by a socket in its folder alone, without a password; panics, and says what to
    /// install, if there is no PostgreSQL.
    pub fn start() -> Server {
        Self::with(folder(), 5432, vec!["listen_addresses=".to_owned()])
    }

    /// The same, and at 127.0.0.1, with a password and a certificate for `localhost` that it has signed itself (see [`Server::certificate`]).
    pub fn start_on_the_network() -> Server {
        let folder = folder();
        // Somebody else may take the port before the server does; then the test says so.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
        run(Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate));
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&key));
        }
        let options = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ];
        Self::with(folder, port, options)
    }

    fn with(folder: TempDir, port: u16, options: Vec<String>) -> Server {
        run(unprivileged(&binaries().join("initdb"))
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .current_dir(folder.path()));
        let process = serve(&folder, port, &options).unwrap_or_else(|said| panic!("PostgreSQL did not start:\n{said}"));
        Server { process, folder, options, port }
    }

    /// Where it is, as `database.url` says it.
    pub fn url(&self) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/postgres", self.port)
    }

    /// Its port, if it is on the network.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file of its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Ends every process of it, as a crash of its machine does.
    pub fn crash(&mut self) {
        self.signal("-KILL");
        self.process.wait().unwrap();
    }

    /// Starts it again after a crash, on the same port and data.
    pub fn restart(&mut self) {
        // A process of the crashed server may be there for a moment more, and the new one refuses until it is not.
        for _ in 0..100 {
            match serve(&self.folder, self.port, &self.options) {
                Ok(process) => {
                    self.process = process;
                    return;
                }
                Err(said) => assert!(said.contains("still in use") || said.contains("shared memory"), "PostgreSQL did not start:\n{said}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("PostgreSQL did not start again");
    }

    /// Stops every process of it: it answers nothing, and closes nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a stopped one go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Sends a signal to the server and its children, by their ids.
    fn signal(&self, signal: &str) {
        let own = self.process.id().to_string();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        // The server first: it starts anew what it sees end.
        for process in std::iter::once(own.as_str()).chain(children.split_whitespace()) {
            // One that has ended meanwhile cannot be told.
            let _ = Command::new("kill").args([signal, process]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.thaw();
        // SIGINT is PostgreSQL's fast shutdown; the child is the server itself.
        let stopped = Command::new("kill").args(["-INT", &self.process.id().to_string()]).stderr(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// A new database on the server at this address; the address of it.
pub async fn database(server: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(1);
    let name = format!("d{}", MADE.fetch_add(1, Ordering::Relaxed));
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
    format!("{}/{name}", server.strip_suffix("/postgres").unwrap())
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    if is_root() {
        // PostgreSQL refuses to run as root.
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    folder
}

/// Starts a server on a cluster and waits until it is ready; else what it said.
fn serve(folder: &TempDir, port: u16, options: &[String]) -> Result<Child, String> {
    let mut process = unprivileged(&binaries().join("postgres"))
        .arg("-D")
        .arg(folder.path().join("data"))
        .arg("-k")
        .arg(folder.path())
        .args(["-p", &port.to_string(), "-c", "log_min_messages=warning", "-c", "lc_messages=C", "-c", "max_connections=1000"])
        .args(options.iter().flat_map(|option| ["-c", option]))
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
        if log.read_line(&mut said).unwrap() == 0 {
            let _ = process.wait();
            return Err(said);
        }
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Ok(process)
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
