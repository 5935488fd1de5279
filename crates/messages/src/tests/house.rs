//! A messages service with a users service that knows everybody.

use crate::{MIGRATIONS, Messages, Partitions, Settings};
use bus::Bus;
use contract::calls::messages as calls;
use contract::calls::users::{UsersById, UsersByName};
use contract::{
    Answer, Caller, Clock, DisplayName, Message, Nonce, Patch, Reaction, Refusal, Room, RoomId, RoomKind, Time, TokenId, User, UserCaller,
    UserId, UserRef, Username,
};
use db::{Access, Db};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[path = "../../../db/tests/support/postgres.rs"]
pub mod postgres;

/// The service under test, on the encoding bus, so that every call and hint goes through its bytes.
pub struct House {
    pub bus: Bus,
    pub db: Db,
    pub messages: Arc<Messages>,
    now: Arc<AtomicI64>,
}

/// Users whose id is made of their name: `u` and a number. Only those exist.
struct Everybody;

fn id_of(username: &Username) -> Option<UserId> {
    let number: u64 = username.as_str().strip_prefix('u')?.parse().ok()?;
    Some(UserId(uuid::Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | number)))
}

fn name_of(id: UserId) -> Username {
    format!("u{}", id.0.as_u64_pair().1 & 0xffff_ffff).as_str().try_into().unwrap()
}

impl Answer<UsersByName> for Everybody {
    async fn answer(&self, _: &Caller, call: UsersByName) -> Result<Vec<UserRef>, Refusal> {
        // Users are some way off: whatever else can go on meanwhile does.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        Ok(call.usernames.into_iter().filter_map(|username| Some(UserRef { id: id_of(&username)?, username })).collect())
    }
}

impl Answer<UsersById> for Everybody {
    async fn answer(&self, _: &Caller, call: UsersById) -> Result<Vec<User>, Refusal> {
        let user = |id| {
            let username = name_of(id);
            let display_name = DisplayName::from(&username);
            User::plain(id, username, display_name, Time(0))
        };
        Ok(call.ids.into_iter().map(user).collect())
    }
}

pub fn user(number: u64) -> UserRef {
    let username: Username = format!("u{number}").as_str().try_into().unwrap();
    UserRef { id: id_of(&username).unwrap(), username }
}

pub fn caller(number: u64) -> Caller {
    let UserRef { id, username } = user(number);
    Caller::User(UserCaller { id, username, token: TokenId(uuid::Uuid::nil()) })
}

pub fn service() -> Caller {
    Caller::service("test")
}

pub fn unlimited() -> Settings {
    Settings { sends_per_second: 0, rooms_per_minute: 0, ..Settings::default() }
}

impl House {
    pub async fn on_sqlite() -> Self {
        Self::on(Db::open(&"sqlite::memory:".parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap())
    }

    pub async fn on_postgres(url: &str, database: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let running = tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        drop(client);
        running.await.unwrap().unwrap();
        let url = format!("{}/{database}", url.strip_suffix("/postgres").unwrap());
        Self::on(Db::open(&url.parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap())
    }

    pub fn on(db: Db) -> Self {
        let now = Arc::new(AtomicI64::new(1_000_000_000_000));
        let told = Arc::clone(&now);
        let bus = Bus::encoding();
        let everybody = Arc::new(Everybody);
        bus.serve::<UsersByName, _>(&everybody).serve::<UsersById, _>(&everybody);
        let clock = Clock::from_fn(move || Time(told.load(Ordering::SeqCst)));
        let messages = Messages::new(db.clone(), bus.clone(), unlimited(), clock);
        messages.writes_all_kinds();
        Messages::serve(&messages, &bus);
        Self { bus, db, messages, now }
    }

    /// The same database with other settings.
    pub fn with(&self, settings: Settings) -> Self {
        let now = Arc::clone(&self.now);
        let told = Arc::clone(&now);
        let messages =
            Messages::new(self.db.clone(), self.bus.clone(), settings, Clock::from_fn(move || Time(told.load(Ordering::SeqCst))));
        messages.writes_all_kinds();
        Messages::serve(&messages, &self.bus);
        Self { bus: self.bus.clone(), db: self.db.clone(), messages, now }
    }

    pub fn turn_clock(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    pub async fn ask<C: contract::Call>(&self, who: &Caller, call: C) -> Result<C::Reply, Refusal> {
        self.bus.ask(who, call).await
    }

    pub async fn room(&self, by: u64, kind: RoomKind, name: Option<&str>, others: &[u64]) -> Room {
        let call = calls::CreateRoom {
            usernames: others.iter().map(|number| user(*number).username).collect(),
            name: name.map(|name| name.try_into().unwrap()),
            kind: Some(kind),
            nonce: None,
        };
        self.ask(&caller(by), call).await.unwrap().room
    }

    pub async fn try_send(&self, by: u64, room: RoomId, body: &str, nonce: Option<&str>) -> Result<calls::Sent, Refusal> {
        let nonce = nonce.map(|nonce| Nonce::try_from(nonce).unwrap());
        self.ask(&caller(by), calls::Send { room, body: body.try_into().unwrap(), nonce, rich: calls::Rich::default() }).await
    }

    pub async fn send(&self, by: u64, room: RoomId, body: &str) -> Message {
        self.try_send(by, room, body, None).await.unwrap().message
    }

    /// Writes in a thread.
    pub async fn reply(&self, by: u64, room: RoomId, thread: i64, body: &str) -> Result<Message, Refusal> {
        self.write_in_thread(by, room, thread, body, false).await
    }

    pub async fn write_in_thread(&self, by: u64, room: RoomId, thread: i64, body: &str, also_in_room: bool) -> Result<Message, Refusal> {
        let rich = calls::Rich { thread: Some(thread), also_in_room, ..calls::Rich::default() };
        let call = calls::Send { room, body: body.try_into().unwrap(), nonce: None, rich };
        Ok(self.ask(&caller(by), call).await?.message)
    }

    pub async fn edit(&self, by: u64, room: RoomId, seq: i64, body: &str) -> Result<Message, Refusal> {
        let call = calls::EditMessage {
            room,
            seq,
            body: Some(body.try_into().unwrap()),
            format: Patch::Keep,
            metadata: Patch::Keep,
            mentions: Patch::Keep,
            if_rev: None,
        };
        Ok(self.ask(&caller(by), call).await?.message)
    }

    pub async fn delete(&self, by: u64, room: RoomId, seq: i64) -> Result<Message, Refusal> {
        self.ask(&caller(by), calls::DeleteMessage { room, seq, reason: None }).await
    }

    /// Reacts, and tells the reactions as `emoji count usernames`, each with a star if it is one's own.
    pub async fn react(&self, by: u64, room: RoomId, seq: i64, emoji: &str, on: bool) -> Result<Vec<String>, Refusal> {
        let call = calls::React { room, seq, emoji: emoji.try_into().unwrap(), on };
        let brief = |reaction: Reaction| {
            let names: Vec<&str> = reaction.usernames.iter().map(Username::as_str).collect();
            let star = if reaction.mine == Some(true) { "*" } else { "" };
            format!("{} {} {}{star}", reaction.emoji, reaction.count, names.join(","))
        };
        Ok(self.ask(&caller(by), call).await?.into_iter().map(brief).collect())
    }

    pub async fn pin(&self, by: u64, room: RoomId, seq: i64, on: bool) -> Result<(), Refusal> {
        self.ask(&caller(by), calls::Pin { room, seq, on }).await
    }

    pub async fn message(&self, by: u64, room: RoomId, seq: i64) -> Result<Message, Refusal> {
        self.ask(&caller(by), calls::GetMessage { room, seq }).await
    }

    pub async fn add(&self, by: u64, room: RoomId, who: u64) -> Result<Room, Refusal> {
        self.ask(&caller(by), calls::AddMember { room, username: user(who).username }).await
    }

    pub async fn remove(&self, by: u64, room: RoomId, who: u64) -> Result<Room, Refusal> {
        self.ask(&caller(by), calls::RemoveMember { room, username: user(who).username }).await
    }

    pub async fn see(&self, by: u64, room: RoomId) -> Result<Room, Refusal> {
        self.ask(&caller(by), calls::GetRoom { room }).await
    }

    /// The partition that a room stands in.
    pub fn part(&self, room: RoomId) -> u16 {
        Partitions::of(&self.db).of_room(room)
    }

    /// What `guild check` finds after this statement, which is undone.
    pub async fn problems_after(&self, sql: &'static str) -> String {
        let breaking = self.db.write::<(), _>(move |tx| {
            Box::pin(async move {
                tx.execute(sql, &[]).await?;
                let report = crate::check::inside(tx, false).await?;
                Err(db::Error::Conflict(report.problems.join("\n")))
            })
        });
        match breaking.await {
            Err(db::Error::Conflict(problems)) => problems,
            outcome => panic!("{sql}: {outcome:?}"),
        }
    }

    /// Every promise about the log holds.
    pub async fn must_be_sound(&self) {
        assert_eq!(crate::check(&self.db).await.unwrap().problems, Vec::<String>::new());
    }
}
