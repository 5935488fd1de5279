//! The rules, over a real database in memory, with a clock that is turned by hand and every call through its bytes and back.

mod admin;
mod directory;
mod http;
mod jwt_mode;
mod open_mode;
mod passwords;
mod presence;
mod sessions;

use crate::{HashingSettings, JwtSettings, MIGRATIONS, Mode, Settings, Users};
use bus::{Bus, Heard, Subscription};
use contract::calls::users::{Authenticate, LoggedIn, Login, Session};
use contract::hint::Hint;
use contract::{Caller, Clock, Code, Password, Refusal, Time, UserCaller, Username};
use db::{Access, Db};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A Monday in 2027.
pub(crate) const START: i64 = 1_800_000_000_000;

/// A clock's hand.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START)))
    }
    pub(crate) fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Clock::from_fn(move || Time(hand.load(Ordering::Relaxed)))
    }
    pub(crate) fn turn(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
    pub(crate) fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }
}

/// The service, and what a test needs beside it.
pub(crate) struct House {
    pub(crate) users: Arc<Users>,
    pub(crate) bus: Bus,
    pub(crate) hand: Hand,
    pub(crate) db: Db,
}

pub(crate) async fn memory() -> Db {
    Db::open(&"sqlite::memory:".parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap()
}

pub(crate) fn settings(mode: Mode) -> Settings {
    let hashing = HashingSettings { threads: 1, memory_kib: 8, passes: 1, ..HashingSettings::default() };
    Settings { mode, hashing, ..Settings::default() }
}

pub(crate) fn with_secret(mode: Mode) -> Settings {
    let jwt = JwtSettings { secret: Some("0123456789abcdef0123456789abcdef".into()), ..JwtSettings::default() };
    Settings { jwt, ..settings(mode) }
}

impl House {
    pub(crate) async fn new(settings: Settings) -> Self {
        Self::over(memory().await, settings)
    }

    /// A service over a database that is there, with no memory of its own.
    pub(crate) fn over(db: Db, settings: Settings) -> Self {
        let (bus, hand) = (Bus::encoding(), Hand::new());
        let users = Users::new(db.clone(), bus.clone(), settings, hand.clock()).unwrap();
        users.serve(&bus);
        Self { users, bus, hand, db }
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Result<LoggedIn, Refusal> {
        let password = (!password.is_empty()).then(|| Password::try_from(password).unwrap());
        self.bus.ask(&Caller::Anonymous, Login { username: name(username), password }).await
    }

    pub(crate) async fn session(&self, token: &str) -> Result<Session, Refusal> {
        self.bus.ask(&Caller::Anonymous, Authenticate { token: token.to_owned() }).await
    }

    pub(crate) async fn caller(&self, token: &str) -> Caller {
        let session = self.session(token).await.unwrap();
        Caller::User(UserCaller { id: session.user.id, username: session.user.username, token: session.token })
    }
}

pub(crate) fn name(text: &str) -> Username {
    Username::try_from(text).unwrap()
}

pub(crate) fn service() -> Caller {
    Caller::service("test")
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Code {
    result.unwrap_err().code
}

pub(crate) async fn heard<H: Hint>(subscription: &mut Subscription<H>) -> H {
    match subscription.next().await {
        Some(Heard::Hint(hint)) => (*hint).clone(),
        _ => panic!("no hint"),
    }
}
