//! A NATS server for one test, on a free port of this machine. Other crates' tests take this file by
//! `#[path = "../../bus/tests/support/nats.rs"]`.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server; it ends, and its folder goes, with this.
pub struct Server {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// Starts a server; panics, and says what to install, if there is none.
    pub fn start() -> Server {
        Self::configured("")
    }

    /// Starts a server with more in its configuration, such as `max_payload: 65536`. `$FOLDER` is the server's folder.
    pub fn configured(more: &str) -> Server {
        let folder = TempDir::new().unwrap();
        // Free now; nobody else is given it before the server takes it, or the server says that it cannot start.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more = more.replace("$FOLDER", folder.path().to_str().unwrap());
        std::fs::write(folder.path().join("nats.conf"), format!("listen: 127.0.0.1:{port}\n{more}\n")).unwrap();
        let process = launch(folder.path(), port);
        Server { process, folder, port }
    }

    /// Where it is, as `nats.url` says it.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port, after [`Server::kill`].
    pub fn restart(&mut self) {
        self.process = launch(self.folder.path(), self.port);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(folder: &Path, port: u16) -> Child {
    let log = folder.join("nats.log");
    // It is ended when this test's thread ends, however it does.
    let mut process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(binary())
        .arg("-c")
        .arg(folder.join("nats.conf"))
        .arg("-l")
        .arg(&log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let give_up = Instant::now() + Duration::from_secs(20);
    // It tells nobody when it listens, so it is tried.
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = process.try_wait().unwrap();
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(ended.is_none() && Instant::now() < give_up, "nats-server did not start:\n{}", said());
        std::thread::sleep(Duration::from_millis(5));
    }
    process
}

fn binary() -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&folders).chain(["/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map(PathBuf::from));
    let found = known.map(|folder| folder.join("nats-server")).find(|file| file.exists());
    found.expect("this test needs a NATS server of its own: apt-get install nats-server")
}
