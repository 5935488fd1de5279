//! A task that must live and does not: what probes see, and how the server ends. The server is started and served as `guild` does it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::process::{Command, Stdio};
use std::time::Duration;

use guild::serve::{Server, start};
use guild::settings::{Format, Log, Sources, load};
use guild::shutdown::Signals;
use guild::{exit, logging};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn server(folder: &std::path::Path) -> Server {
    server_that_drains_for(0, folder).await
}

async fn server_that_drains_for(seconds: u32, folder: &std::path::Path) -> Server {
    let (database, drain) = (format!("sqlite:{}", folder.join("guild.db").display()), seconds.to_string());
    let environment = [
        ("GUILD_DATABASE_URL", database.as_str()),
        ("GUILD_LISTEN", "127.0.0.1:0"),
        ("GUILD_AUTH_MODE", "open"),
        ("GUILD_LIMITS_DRAIN_SECONDS", drain.as_str()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let settings = load(&Sources { environment, ..Sources::default() }).unwrap();
    // The metrics are the process's, and the tests in it start side by side.
    static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = STARTING.lock().await;
    start(&settings).await.unwrap()
}

async fn get(server: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_task_makes_readyz_fail() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let address = server.address;
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    let lost = tokio::spawn(server.vital().keep("the test's task", async { panic!("as the test wants") }));
    assert!(lost.await.unwrap_err().is_panic());
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("the test's task has panicked"), "{answer}");
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "), "it lives, and can still answer");
    server.stop_at_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_task_ends_the_server_with_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let (address, vital) = (server.address, server.vital().clone());
    let serving = tokio::spawn(server.serve(Signals::new().unwrap(), Duration::from_secs(3_600)));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    tokio::spawn(vital.keep("the test's task", async { panic!("as the test wants") }));
    // Far sooner than the time over which clients would be sent away.
    let code = tokio::time::timeout(Duration::from_secs(9), serving).await.unwrap().unwrap();
    assert_eq!(code, exit::LOST);
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    assert!(!folder.path().join("guild.db-wal").exists(), "the database was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_lost_while_clients_are_sent_away_is_noticed_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_that_drains_for(3_600, folder.path()).await;
    let (address, vital) = (server.address, server.vital().clone());
    // Two clients, of whom the second has half of the time.
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let handshake = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        client.write_all(handshake.as_bytes()).await.unwrap();
        assert!(client.read(&mut [0; 1_024]).await.unwrap() > 0);
        // A client's CONNECT, in a frame whose mask is nothing.
        let connect = br#"40{"username":"alice"}"#;
        let head = [0x81, 0x80 | u8::try_from(connect.len()).unwrap(), 0, 0, 0, 0];
        client.write_all(&[head.as_slice(), connect].concat()).await.unwrap();
        let (mut said, mut bytes) = (String::new(), [0; 1_024]);
        while !said.contains("ready") {
            let count = client.read(&mut bytes).await.unwrap();
            assert!(count > 0, "closed after {said:?}");
            said += &String::from_utf8_lossy(&bytes[..count]);
        }
        clients.push(client);
    }
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!stopping.is_finished(), "the second client waits for its turn");
    tokio::spawn(vital.keep("the test's task", async { panic!("as the test wants") }));
    let code = tokio::time::timeout(Duration::from_secs(9), stopping).await.unwrap().unwrap();
    assert_eq!(code, exit::LOST);
}

#[test]
#[ignore = "a_panic_is_a_line_of_the_log runs it, in a process of its own"]
fn panics() {
    logging::start(&Log { filter: "off".to_owned(), format: Format::Json }).unwrap();
    let panicked = std::thread::Builder::new().name("some-thread".to_owned()).spawn(|| panic!("as the test wants")).unwrap();
    assert!(panicked.join().is_err());
    logging::flush();
    std::process::exit(7);
}

#[test]
fn a_panic_is_a_line_of_the_log() {
    let panics = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "panics", "--ignored", "--nocapture"])
            .env_remove("RUST_BACKTRACE")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let output = panics().wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{said}");
    let line: serde_json::Value = serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!((&line["level"], &line["thread"]), (&"ERROR".into(), &"some-thread".into()), "{line}");
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("panicked at crates/guild/tests/vital.rs:") && message.ends_with(": as the test wants"), "{message}");

    // Where nobody reads, it costs nobody anything.
    let mut child = panics();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(7));
}
