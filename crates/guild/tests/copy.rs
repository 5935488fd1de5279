//! `guild copy` between both engines: everything arrives, what was cut short goes on, and no data is mixed with other data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bus::Bus;
use contract::calls::messages as calls;
use contract::calls::state::{PutState, RemoveState};
use contract::{Caller, Clock, Patch, RoomKind, Time, TokenId, UserCaller, UserId, Username};
use db::copy::{Column, Copy};
use db::{Access, Db, Migrations, Value, values};
use messages::Messages;
use tokio::sync::Notify;
use users::{Mode, Users};

#[path = "../../db/tests/support/postgres.rs"]
mod postgres;

const SCHEMAS: [Migrations; 2] = [users::MIGRATIONS, messages::MIGRATIONS];

async fn open(url: &str, access: Access) -> Result<Db, String> {
    Db::open(&url.parse().unwrap(), &SCHEMAS, access).await.map_err(|error| error.to_string())
}

/// Runs `guild copy`; its exit code and what it said.
fn copy(folder: &Path, from: &str, to: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guild"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GUILD_")) {
        command.env_remove(name);
    }
    let output = command.current_dir(folder).args(["copy", "--from", from, "--to", to]).stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn caller(number: usize) -> Caller {
    Caller::User(UserCaller { id: id(number), username: name(number), token: TokenId::from_bytes([0; 16]) })
}

fn id(number: usize) -> UserId {
    let mut bytes = [7; 16];
    bytes[15] = u8::try_from(number).unwrap();
    UserId::from_bytes(bytes)
}

fn name(number: usize) -> Username {
    format!("u{number}").as_str().try_into().unwrap()
}

/// Fills a database with every kind of row, and some thousand messages.
async fn fill(url: &str) {
    let db = open(url, Access::Server).await.unwrap();
    db.write(|tx| {
        Box::pin(async move {
            for number in 0..8 {
                let user = "INSERT INTO users (id, username, display_name, password, origin, created_at, disabled_at, status, metadata)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
                let password = (number == 1).then(|| "$argon2id$v=19$…".to_owned());
                let origin = (number == 2).then(|| "[null,\"2\"]".to_owned());
                let disabled = (number == 3).then_some(5_i64);
                let (status, metadata) = match number {
                    4 => (Some("out \u{1f600}".to_owned()), Some(r#"{"a":"\u0000"}"#.to_owned())),
                    _ => (None, None),
                };
                let (id, shown) = (id(number), "Ä\u{1f600}");
                let values = values![id.bytes(), name(number).as_str(), shown, password, origin, 4_i64, disabled, status, metadata];
                tx.execute(user, &values).await?;
                let token = "INSERT INTO tokens (hash, id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
                let hash = [u8::try_from(number).unwrap(); 32];
                tx.execute(token, &values![hash, &hash[..16], id.bytes(), 1_i64, i64::MAX]).await?;
            }
            let denied = "INSERT INTO revoked_jwts (id, expires_at) VALUES ($1, $2)";
            tx.execute(denied, &values![[9_u8; 16], 77_i64]).await?;
            tx.execute("INSERT INTO gateways (id, lease_until) VALUES ($1, $2)", &values![[9_u8; 16], 77_i64]).await.map(|_| ())
        })
    })
    .await
    .unwrap();
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    // Several rows have one time.
    let clock = Clock::from_fn(move || Time(time.fetch_add(1, Ordering::Relaxed) / 3));
    let bus = Bus::encoding();
    let users =
        Users::new(db.clone(), bus.clone(), users::Settings { mode: Mode::Open, ..users::Settings::default() }, clock.clone()).unwrap();
    users.serve(&bus);
    let unlimited = messages::Settings { sends_per_second: 0, rooms_per_minute: 0, ..messages::Settings::default() };
    let messages = Messages::new(db.clone(), bus.clone(), unlimited, clock);
    messages.start_check().await.unwrap();
    Messages::serve(&messages, &bus);
    let create = async |by: usize, kind, title: Option<&str>, others: &[usize], nonce: Option<&str>| {
        let usernames = others.iter().map(|number| name(*number)).collect();
        let call = calls::CreateRoom {
            usernames,
            name: title.map(|title| title.try_into().unwrap()),
            kind: Some(kind),
            nonce: nonce.map(|nonce| nonce.to_owned().try_into().unwrap()),
        };
        bus.ask(&caller(by), call).await.unwrap().room.id
    };
    let mut rooms = vec![create(0, RoomKind::Direct, None, &[1], None).await];
    for number in 0..12 {
        let kind = if number % 2 == 0 { RoomKind::Channel } else { RoomKind::Group };
        rooms.push(create(0, kind, Some("Zimmer \u{1f6aa}"), &[1, 2, 3, 4], Some(&format!("r{number}"))).await);
    }
    for (number, room) in rooms.iter().enumerate().skip(1) {
        let is_channel = number % 2 == 1;
        for (by, who, add) in [(0, 4, false), (0, 5, true), (0, 4, true), (3, 3, false), (0, 5, false), (0, 5, true)] {
            let done = if add {
                // Into a channel everybody goes by themselves.
                bus.ask(&caller(if is_channel { who } else { by }), calls::AddMember { room: *room, username: name(who) }).await
            } else {
                bus.ask(&caller(by), calls::RemoveMember { room: *room, username: name(who) }).await
            };
            done.unwrap();
        }
        bus.ask(&caller(0), calls::UpdateRoom::name(*room, "Neu".try_into().unwrap())).await.unwrap();
    }
    for number in 0..6 {
        for key in ["draft", "star:1", "gone"] {
            let value = serde_json::json!([number, key, "\u{1f680}"]).try_into().unwrap();
            let put = PutState { key: key.try_into().unwrap(), value, if_stamp: Patch::Keep };
            bus.ask(&caller(number), put).await.unwrap();
        }
        bus.ask(&caller(number), RemoveState { key: "gone".try_into().unwrap() }).await.unwrap();
    }
    // Somebody leaves the last room whose owner they are, and somebody else inherits it.
    bus.ask(&caller(0), calls::RemoveMember { room: rooms[12], username: name(0) }).await.unwrap();
    let sends = (0..3_000).map(|turn| {
        let (room, nonce) = (rooms[turn % rooms.len()], (turn % 5 == 0).then(|| format!("n{turn}").try_into().unwrap()));
        bus.ask_owned(
            1,
            calls::Send { room, body: format!("Nachricht {turn} \u{1f980}\n'q'").try_into().unwrap(), nonce, rich: calls::Rich::default() },
        )
    });
    for sent in futures_util::future::join_all(sends).await {
        sent.unwrap();
    }
    bus.ask(&caller(1), calls::MarkRead { room: rooms[3], seq: 20 }).await.unwrap();
    bus.ask(&caller(0), calls::React { room: rooms[0], seq: 1, emoji: "\u{1f44d}".try_into().unwrap(), on: true }).await.unwrap();
    // What a newer program has written: a kind, a version, a kind addressed to one user.
    db.write(|tx| {
        Box::pin(async move {
            tx.execute("UPDATE log SET kind = 999, version = 3 WHERE kind = 5", &[]).await?;
            tx.execute("UPDATE log SET version = 99 WHERE kind = 2 AND seq > 100 AND seq < 110", &[]).await?;
            let told =
                "INSERT INTO log (position, part, room, seq, kind, version, actor, subject, messages, newest, member_count, created_at)
                SELECT position + 1, part, room, NULL, 998, 1, actor, actor, messages, newest, member_count, created_at
                FROM log l WHERE position = (SELECT MAX(position) FROM log m WHERE m.part = l.part)";
            tx.execute(told, &[]).await?;
            // As in a large room, where a change of reactions waits to be told.
            let untold = "INSERT INTO untold_reactions (room, seq, due_at, changes, member) SELECT room, seq, 5, 1, member FROM reactions";
            tx.execute(untold, &[]).await?;
            db::numbers::raise(tx, "log_min_version", 7).await
        })
    })
    .await
    .unwrap();
    drop((messages, users, bus));
    db.close().await;
}

/// Shortens [`fill`].
trait AskOwned {
    fn ask_owned(&self, by: usize, call: calls::Send) -> impl Future<Output = Result<calls::Sent, contract::Refusal>>;
}

impl AskOwned for Bus {
    async fn ask_owned(&self, by: usize, call: calls::Send) -> Result<calls::Sent, contract::Refusal> {
        self.ask(&caller(by), call).await
    }
}

use Column::{Bytes as B, Int as I, Text as T};

/// Everything that is to arrive. Positions are told by how many rows of the room lie up to them.
const DUMPS: [(&str, &[Column]); 11] = [
    ("SELECT name, value FROM meta WHERE name = 'log_min_version'", &[T, I]),
    (
        "SELECT id, username, display_name, password, origin, created_at, disabled_at, status, metadata FROM users ORDER BY id",
        &[B, T, T, T, T, I, I, T, T],
    ),
    ("SELECT hash, id, user_id, created_at, expires_at FROM tokens ORDER BY hash", &[B, B, B, I, I]),
    ("SELECT id, expires_at FROM revoked_jwts ORDER BY id", &[B, I]),
    (
        "SELECT id, kind, name, owner, creator, created_at, member_count, pair, nonce, request FROM rooms ORDER BY id",
        &[B, T, T, B, B, I, I, B, T, B],
    ),
    (
        "SELECT room, seq, kind, version, actor, subject, ref_seq, messages, newest, member_count, id, nonce, payload, created_at FROM log
            ORDER BY room, position",
        &[B, I, I, I, B, B, I, I, I, I, B, T, T, I],
    ),
    (
        "SELECT room, member, role, state, read, (SELECT COUNT(*) FROM log l WHERE l.room = m.room AND l.position <= m.since) FROM members m
            ORDER BY room, member",
        &[B, B, T, T, I, I],
    ),
    ("SELECT member, key, value, stamp FROM user_state ORDER BY member, key", &[B, T, T, B]),
    (
        "SELECT room, member, from_seq, to_seq, (SELECT COUNT(*) FROM log l WHERE l.room = s.room AND l.position <= s.from_position),
            CASE WHEN to_position IS NULL THEN 0 ELSE (SELECT COUNT(*) FROM log l WHERE l.room = s.room AND l.position <= s.to_position) END
            FROM stays s ORDER BY room, member, from_position",
        &[B, B, I, I, I, I],
    ),
    ("SELECT room, seq, emoji, member, at_seq, at_place, created_at FROM reactions", &[B, I, T, B, I, I, I]),
    ("SELECT room, seq, due_at, changes, member FROM untold_reactions", &[B, I, I, I, B]),
];

async fn dump(url: &str) -> Vec<Vec<Vec<Value>>> {
    let db = open(url, Access::ReadOnly).await.unwrap();
    let mut all = Vec::new();
    for (sql, columns) in DUMPS {
        let rows = db.read(move |tx| Box::pin(async move { tx.rows(sql, &[], |row| db::copy::whole(row, columns)).await })).await.unwrap();
        assert!(!rows.is_empty(), "{sql}");
        all.push(rows);
    }
    db.close().await;
    all
}

/// Begins a copy and drops it when so many rows of the log have been copied.
async fn cut_short(from: &str, to: &str, after: u64) {
    let (here, there) = (open(from, Access::Alone).await.unwrap(), open(to, Access::Alone).await.unwrap());
    let enough = Arc::new(Notify::new());
    let reached = Arc::clone(&enough);
    let moved = move |table: &'static str, rows: u64| {
        if table == "log" && rows >= after {
            reached.notify_one();
        }
    };
    let must_be_empty = users::copy::MUST_BE_EMPTY.iter().chain(messages::copy::MUST_BE_EMPTY).copied().collect();
    let mut copy = Copy::begin(&here, &there, must_be_empty, moved).await.unwrap();
    let all = async {
        users::copy::copy(&mut copy).await.unwrap();
        messages::copy::copy(&mut copy).await.unwrap();
    };
    tokio::select! {
        biased;
        () = enough.notified() => {}
        () = all => panic!("the copy was done before it could be cut short"),
    }
    drop(copy);
    here.close().await;
    there.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_there_and_back() {
    let folder = tempfile::TempDir::new().unwrap();
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let server = postgres::Server::start();
    let (origin, there, again) = (at("a.db"), postgres::database(&server.url()).await, postgres::database(&server.url()).await);
    fill(&origin).await;
    let expected = dump(&origin).await;

    let (code, said) = copy(folder.path(), &origin, &there);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("3185 rows of the log, 130 of them of kinds or versions that a newer program has written, 2883 messages, 13 rooms")
            && said.contains("told to resync"),
        "{said}"
    );
    assert_eq!(said.matches("promises are kept").count(), 2, "{said}");
    assert!(dump(&there).await == expected, "on PostgreSQL something differs");

    // Cut short in the middle, and gone on with.
    cut_short(&origin, &again, 1_000).await;
    for access in [Access::Server, Access::Tool, Access::ReadOnly] {
        let error = open(&again, access).await.err().unwrap();
        assert!(error.contains("a copy that is not complete: run the same guild copy again"), "{error}");
    }
    let (code, said) = copy(folder.path(), &there, &again);
    assert!(code == 1 && said.contains("holds part of a copy of another database"), "{said}");
    let (code, said) = copy(folder.path(), &again, &at("never.db"));
    assert!(code == 1 && said.contains("not complete"), "{said}");
    let (code, said) = copy(folder.path(), &origin, &again);
    assert_eq!(code, 0, "{said}");
    assert!(dump(&again).await == expected, "gone on with, something differs");

    // Back, cut short as well; then between two of one engine, where cursors hold.
    cut_short(&there, &at("b.db"), 2_000).await;
    assert!(open(&at("b.db"), Access::Server).await.err().unwrap().contains("not complete"));
    let (code, said) = copy(folder.path(), &there, &at("b.db"));
    assert_eq!(code, 0, "{said}");
    assert!(dump(&at("b.db")).await == expected, "back on SQLite something differs");
    let (code, said) = copy(folder.path(), &at("b.db"), &at("c.db"));
    assert!(code == 0 && said.contains("Cursors go on as before"), "{said}");
    let (b, c) = (open(&at("b.db"), Access::ReadOnly).await.unwrap(), open(&at("c.db"), Access::ReadOnly).await.unwrap());
    assert_eq!(b.epoch(), c.epoch());
    assert_ne!(b.epoch(), open(&there, Access::ReadOnly).await.unwrap().epoch());
    assert!(dump(&at("c.db")).await == expected);

    // It can be served, and goes on where it was.
    for url in [&there, &at("b.db")] {
        let db = open(url, Access::Server).await.unwrap();
        let bus = Bus::encoding();
        let users =
            Users::new(db.clone(), bus.clone(), users::Settings { mode: Mode::Open, ..users::Settings::default() }, Clock::system())
                .unwrap();
        users.serve(&bus);
        let messages = Messages::new(db.clone(), bus.clone(), messages::Settings::default(), Clock::system());
        Messages::serve(&messages, &bus);
        let mine = calls::MyRooms { after: None, limit: 50.try_into().unwrap() };
        for room in bus.ask(&caller(1), mine).await.unwrap().items {
            bus.ask(
                &caller(1),
                calls::Send { room: room.id, body: "weiter".try_into().unwrap(), nonce: None, rich: calls::Rich::default() },
            )
            .await
            .unwrap();
        }
        assert_eq!(messages::check(&db).await.unwrap().problems, Vec::<String>::new());
        db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let server = postgres::Server::start();
    let there = postgres::database(&server.url()).await;
    let refused = |from: &str, to: &str, code: i32, words: &str| {
        let (found, said) = copy(folder.path(), from, to);
        assert!(found == code && said.contains(words), "{found}: {said}");
    };
    fill(&at("a.db")).await;
    fill(&there).await;
    let before = dump(&there).await;
    refused(&at("a.db"), &there, 1, "holds data already");
    refused(&at("no.db"), &there, 1, "does not exist");
    refused(&at("a.db"), &at("a.db"), 2, "the same database");
    refused("sqlite::memory:", &there, 2, "in memory");
    refused("mysql://x", &there, 2, "--from");
    assert!(dump(&there).await == before && !folder.path().join("no.db").exists());

    // While a server runs over either.
    let running = open(&at("a.db"), Access::Server).await.unwrap();
    refused(&at("a.db"), &at("b.db"), 1, "in use by another guild server");
    running.close().await;
    drop(running);
    let running = open(&there, Access::Server).await.unwrap();
    refused(&there, &at("b.db"), 1, "in use by a guild server");
    running.close().await;
    drop(running);

    // A source that was changed after its copy was cut short is found out.
    let target = postgres::database(&server.url()).await;
    cut_short(&at("a.db"), &target, 1_000).await;
    let db = open(&at("a.db"), Access::Tool).await.unwrap();
    db.write(|tx| Box::pin(async move { tx.execute("UPDATE users SET display_name = 'other' WHERE username = 'u6'", &[]).await }))
        .await
        .unwrap();
    db.close().await;
    drop(db);
    refused(&at("a.db"), &target, 1, "the table users differs");
    assert!(open(&target, Access::Server).await.is_err());
}
