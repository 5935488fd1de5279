//! The services in processes of their own, over a real PostgreSQL and a real NATS: each serves its part, they reach one another, and
//! what cannot be is refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test fails by panicking, its helpers too; the servers can do more than is needed here"
)]

#[path = "../../bus/tests/support/nats.rs"]
mod nats;
#[path = "../../db/tests/support/postgres.rs"]
mod postgres;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process with some of the services, killed when it is dropped.
struct Process {
    child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Process {
    fn start(run: &str, database: &str, nats: &str) -> Self {
        let mut child =
            guild(&[("GUILD_RUN", run), ("GUILD_DATABASE_URL", database), ("GUILD_NATS_URL", nats), ("GUILD_LISTEN", "127.0.0.1:0")])
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            assert!(log.read_line(&mut said).unwrap() > 0, "it ended before it listened:\n{said}");
            if let Some((_, rest)) = said.split_once("listening on http://") {
                break rest.trim().to_owned();
            }
        };
        assert!(said.contains(&format!("run={run:?}")) || said.contains(&format!("run={run}")), "{said}");
        Self { child, address, log }
    }

    /// One request: the status and the body.
    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let heads = "Host: x\r\nConnection: close\r\nContent-Type: application/json";
        write!(stream, "{method} {path} HTTP/1.1\r\n{heads}\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn get(&self, path: &str, token: &str) -> (u16, serde_json::Value) {
        self.ask("GET", path, token, "")
    }

    fn paths(&self) -> Vec<String> {
        let (status, document) = self.get("/openapi.json", "");
        assert_eq!(status, 200);
        document["paths"].as_object().unwrap().keys().cloned().collect()
    }

    fn stop(mut self) -> String {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn guild(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guild"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GUILD_")) {
        command.env_remove(name);
    }
    command.current_dir(std::env::temp_dir()).envs(settings.iter().copied()).stdin(Stdio::null());
    command
}

/// Another process has no event that could be waited for here.
fn until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < give_up, "{what} never came about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_process_serves_its_part_and_reaches_the_others() {
    let (postgres, mut nats) = (postgres::Server::start(), nats::Server::start());
    let (database, bus) = (postgres.url(), nats.url());
    // Chat is first: it has to wait for the others, not they for it.
    let chat = Process::start("chat", "sqlite:none.db", &bus);
    let users = [Process::start("users", &database, &bus), Process::start("users", &database, &bus)];
    let messages = Process::start("messages", &database, &bus);
    for process in [&chat, &users[0], &users[1], &messages] {
        until("readiness", || process.get("/readyz", "").0 == 200);
        assert_eq!(process.get("/healthz", "").0, 200);
    }
    let part = |process: &Process, prefix: &str| process.paths().iter().any(|path| path.starts_with(prefix));
    assert_eq!([&chat, &users[0], &messages].map(|process| part(process, "/users")), [false, true, false]);
    assert_eq!([&chat, &users[0], &messages].map(|process| part(process, "/rooms")), [false, false, true]);
    assert_eq!([&chat, &users[0], &messages].map(|process| part(process, "/asyncapi.json")), [true, false, false]);
    assert_eq!([&chat, &users[0], &messages].map(|process| process.get("/asyncapi.json", "").0), [200, 404, 404]);
    assert_eq!([&chat, &users[0], &messages].map(|process| process.get("/users/openapi.json", "").0), [404, 200, 404]);

    let password = "correct horse";
    let log_in = |process: &Process, name: &str| {
        let (status, answer) = process.ask("POST", "/users/login", "", &format!(r#"{{"username":"{name}","password":"{password}"}}"#));
        assert!(status == 200 || status == 201, "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    };
    let (alice, _) = (log_in(&users[0], "alice"), log_in(&users[1], "bob"));
    // The messages service asks the users service who this is, and for the names.
    let (status, room) = messages.ask("POST", "/rooms", &alice, r#"{"usernames":["bob"]}"#);
    assert_eq!(status, 201, "{room}");
    // And the users service asks the messages service for the rooms.
    let rooms = users[1].get("/users/alice/rooms", &alice);
    assert_eq!((rooms.0, rooms.1["items"][0]["id"].clone()), (200, room["id"].clone()), "{rooms:?}");
    // A token ends at every instance, whichever it was ended at.
    assert_eq!(users[0].get("/users/me", &alice).0, 200);
    let once_more = log_in(&users[0], "alice");
    assert_eq!(users[1].ask("POST", "/users/logout", &alice, "").0 / 100, 2);
    until("the end of the token", || users[0].get("/users/me", &alice).0 == 401);

    nats.kill();
    until("unreadiness", || [&chat, &users[0], &users[1], &messages].iter().all(|process| process.get("/readyz", "").0 == 503));
    let (status, problem) = users[0].get("/users/alice/rooms", &once_more);
    assert_eq!((status, problem["code"].as_str()), (503, Some("busy")), "{problem}");
    assert_eq!(users[0].get("/users/me", &once_more).0, 200, "what is in one process goes on");
    nats.restart();
    for process in [&chat, &users[0], &users[1], &messages] {
        until("readiness", || process.get("/readyz", "").0 == 200);
    }
    until("rooms", || users[0].get("/users/alice/rooms", &once_more).0 == 200);

    let [one, two] = users;
    assert!(one.stop().contains("everything accepted is on disk"));
    // Whoever is left answers at once.
    for _ in 0..20 {
        assert_eq!(messages.get("/rooms", &once_more).0, 200);
    }
    for process in [chat, messages, two] {
        assert!(process.stop().contains("stopped"));
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    for (settings, why) in [
        (&[("GUILD_RUN", "users")][..], "set nats.url"),
        (&[("GUILD_RUN", "messages"), ("GUILD_NATS_URL", "nats://127.0.0.1:1")], "SQLite serves one process only"),
        (&[("GUILD_RUN", "chat"), ("GUILD_NATS_URL", "127.0.0.1:1")], "nats://host:4222"),
    ] {
        let output = guild(settings).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
