//! The program as an operator meets it: exit codes, error lines, the administrator's commands, and what a server answers about itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// The program in this folder, with an environment that holds no settings but these.
fn guild(folder: &Path, settings: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guild"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GUILD_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).envs(settings.iter().copied()).args(args);
    command
}

fn done(folder: &Path, settings: &[(&str, &str)], args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = guild(folder, settings, args).stdin(Stdio::null()).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn with_password(folder: &Path, args: &[&str], password: &str) -> (i32, String) {
    let mut child = guild(folder, &[], args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A running server, killed when it is dropped.
struct Server {
    child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = guild(folder, settings, &["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server ended before it listened");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                break rest.trim().trim_end_matches(['"', '}']).split('"').next().unwrap().to_owned();
            }
        };
        Self { child, address, log }
    }

    /// One request, one answer, as text.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn stop(mut self, signal: &str) -> (ExitStatus, String) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_wrong_setting_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, said) = done(folder.path(), &[("GUILD_LISTEN", "nowhere"), ("GUILD_LISTN", "x")], &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("GUILD_LISTN") && said.contains("did you mean GUILD_LISTEN?"), "{said}");
    let (code, _, said) = done(folder.path(), &[], &["--limits-frame-bytes", "many"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("limits.frame_bytes = \"many\" (flag --limits-frame-bytes): allowed is a whole number"), "{said}");
    let (code, _, said) = done(folder.path(), &[], &["--no-such-flag"]);
    assert_eq!(code, 2, "{said}");
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    for (file, why) in [("key.pem", "no public key"), ("none.pem", "cannot be read")] {
        let (code, _, said) = done(folder.path(), &[("GUILD_AUTH_MODE", "jwt"), ("GUILD_AUTH_JWT_PUBLIC_KEY", file)], &[]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(&format!("auth.jwt.public_key = \"{file}\" (environment GUILD_AUTH_JWT_PUBLIC_KEY): ")), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert!(!folder.path().join("guild.db").exists(), "nothing was started");
}

#[test]
fn help_version_and_settings_are_no_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["serve", "--help"], &["user", "add", "--help"], &["check", "-h"]] {
        let (code, said, _) = done(folder.path(), &[], args);
        assert!(code == 0 && !said.is_empty(), "{args:?}");
    }
    std::fs::write(folder.path().join("guild.toml"), "[limits]\nmessage_chars = 5\n").unwrap();
    let (code, said, _) = done(folder.path(), &[], &["settings"]);
    assert_eq!(code, 0);
    assert!(said.lines().any(|line| line.starts_with("limits.message_chars = 5 ") && line.ends_with("# guild.toml line 2")), "{said}");
}

#[test]
fn a_database_that_cannot_be_used_is_one_line_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guild.db");
    std::fs::write(&file, "this is a letter, not a database, and it is longer than a header of SQLite's would be: one hundred bytes")
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    let (code, _, said) = done(folder.path(), &[("GUILD_LISTEN", "127.0.0.1:0")], &[]);
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.starts_with("guild: ") && said.contains("guild.db is not a database"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before, "the file is untouched");
    let (code, _, said) = done(folder.path(), &[], &["check", "--database-url", "sqlite:none.db"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("none.db does not exist"), "{said}");
}

#[test]
fn users_are_administered_and_the_log_is_checked_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (code, said) = with_password(folder.path(), &["user", "add", "Alice", "--display-name", "Al", "--password-stdin"], "correct horse");
    assert_eq!((code, said.as_str()), (0, "alice can log in\n"));
    let (code, said) = with_password(folder.path(), &["user", "add", "alice", "--password-stdin"], "correct horse");
    assert!(code == 1 && said.contains("alice"), "{said}");
    let (code, said) = with_password(folder.path(), &["user", "password", "alice", "--password-stdin"], "short");
    assert!(code == 2 && said.contains("8-128"), "{said}");
    assert_eq!(done(folder.path(), &[], &["user", "disable", "alice"]).0, 0);
    let (_, said, _) = done(folder.path(), &[], &["user", "list"]);
    assert!(said.starts_with("alice ") && said.contains(" disabled ") && said.contains(" Al"), "{said}");
    assert_eq!(done(folder.path(), &[], &["user", "enable", "alice"]).0, 0);
    assert_eq!(done(folder.path(), &[], &["user", "enable", "nobody"]).0, 1);
    let (code, _, said) = done(folder.path(), &[], &["user", "add", "bob"]);
    assert!(code == 2 && said.contains("--password-stdin"), "{said}");

    let (code, said, _) = done(folder.path(), &[], &["check"]);
    assert!(code == 0 && said.contains("promises are kept"), "{said}");
    let (code, _, said) = done(folder.path(), &[], &["epoch", "new"]);
    assert!(code == 1 && said.contains("in use"), "{said}");
    let (code, _, said) = done(folder.path(), &[("GUILD_LISTEN", "127.0.0.1:0")], &[]);
    assert!(code == 1 && said.contains("in use"), "a second server: {said}");
    server.stop("-TERM");
    let (code, said, _) = done(folder.path(), &[], &["epoch", "new"]);
    assert!(code == 0 && said.contains("epoch"), "{said}");
}

#[test]
fn an_address_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, said) = done(folder.path(), &[("GUILD_LISTEN", &address), ("GUILD_LOG", "warn")], &[]);
    assert!(code == 1 && said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[test]
fn a_signal_stops_it_gracefully() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        // Connections that say nothing more may not hold it up: one that never did, one that waits for its next request.
        let _idle = TcpStream::connect(&server.address).unwrap();
        let mut kept = TcpStream::connect(&server.address).unwrap();
        assert!(ask(&mut kept, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200"));
        let began = Instant::now();
        let (status, log) = server.stop(signal);
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}: {log}", began.elapsed());
        assert!(log.ends_with("stopped\n"), "the last line comes out: {log}");
    }
}

/// Sends these bytes and reads one answer, whose body is as long as its head says. Nothing where the connection was closed instead.
fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    let mut left = None;
    while left != Some(0) && stream.read(&mut byte).unwrap() > 0 {
        answer.push(byte[0]);
        left = left.map(|left: usize| left - 1);
        if left.is_none() && answer.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer).to_lowercase();
            let length = head.split_once("content-length: ").map(|(_, rest)| rest.split('\r').next().unwrap().parse().unwrap());
            left = Some(length.unwrap_or(0));
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_request_has_one_host_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("GUILD_AUTH_MODE", "open")]);
    let paths = ["/healthz", "/users/me", "/rooms", "/graphql", "/nowhere", "/socket.io/?EIO=4&transport=polling"];
    let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     Sec-WebSocket-Protocol: graphql-transport-ws\r\n";
    let sockets = ["/socket.io/?EIO=4&transport=websocket", "/graphql"];
    let requests = paths.map(|path| (path, "")).into_iter().chain(sockets.map(|path| (path, websocket)));
    for (path, more) in requests {
        for (hosts, why) in [("", "no Host"), ("Host: a\r\nHost: a\r\n", "more than one"), ("Host: a b\r\n", "not a host")] {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            let answer = ask(&mut stream, &format!("GET {path} HTTP/1.1\r\n{hosts}{more}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 400 "), "{path} with {hosts:?}: {answer}");
            assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
            assert!(answer.contains("\"code\":\"invalid_request\"") && answer.contains(why), "{answer}");
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the connection is closed");
        }
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let answer = ask(&mut stream, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n", server.address));
        assert!(!answer.contains("Host header"), "{answer}");
        assert_eq!(more.is_empty(), !answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }
    let mut stream = TcpStream::connect(&server.address).unwrap();
    assert!(ask(&mut stream, "GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 "), "HTTP/1.0 knows no Host");

    // A request for a whole address is about the host in it: its page's origin is the own one, whatever the header says.
    for (origin, status) in [("http://chat.example", 200), ("http://other.example", 403)] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let target = "http://chat.example/healthz";
        let answer = ask(&mut stream, &format!("GET {target} HTTP/1.1\r\nHost: other.example\r\nOrigin: {origin}\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn it_answers_what_it_documents_about_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("GUILD_LOG_FORMAT", "json"), ("GUILD_AUTH_MODE", "open")]);
    let document = server.get("/openapi.json");
    let document: serde_json::Value =
        serde_json::from_str(&document[document.find('{').unwrap()..document.rfind('}').unwrap() + 1]).unwrap();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || path.contains('{') {
            continue;
        }
        let answer = server.get(path);
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let documented = item["get"]["responses"].as_object().unwrap();
        assert!(documented.contains_key(&status.to_string()), "GET {path} answered {status}, and documents {:?}", documented.keys());
        assert!([200, 303, 401].contains(&status), "GET {path} answered {status}");
        seen += 1;
    }
    assert!(seen >= 12, "{seen}");
    assert!(server.get("/").contains("content-security-policy: default-src 'none'"));
    assert!(server.get("/metrics").contains("guild_http_requests_total"));
    assert!(server.get("/nothing").contains("\"code\":\"not_found\""));
    assert!(server.get("/docs/swagger-ui-bundle.js").starts_with("HTTP/1.1 200"));
    assert!(server.get("/docs/events").contains("<h3"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    // A request whose body never comes keeps the graceful stop waiting.
    let mut slow = TcpStream::connect(&server.address).unwrap();
    write!(slow, "POST /users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{").unwrap();
    // It has been read once another request, sent later, is answered.
    assert!(server.get("/healthz").contains("ok"));
    let kill = |signal: &str| Command::new("kill").args([signal, &server.child.id().to_string()]).status().unwrap();
    assert!(kill("-TERM").success());
    let mut server = server;
    let mut line = String::new();
    while !line.contains("stopping") {
        line.clear();
        assert!(server.log.read_line(&mut line).unwrap() > 0);
    }
    let began = Instant::now();
    let (status, log) = server.stop("-TERM");
    assert!(began.elapsed() < Duration::from_secs(2), "{log}");
    assert!(status.code() == Some(1) || log.contains("stopped"), "{log}");
}
