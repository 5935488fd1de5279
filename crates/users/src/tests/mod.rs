//! The rules, over real engines (each scenario runs on SQLite in memory and on PostgreSQL), with a clock that is turned by hand and every call through its bytes and back.

mod admin;
mod directory;
mod http;
mod jwt_mode;
mod open_mode;
mod passwords;
mod presence;
mod profile;
mod sessions;

#[path = "../../../db/tests/support/postgres.rs"]
pub(crate) mod postgres;

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

tokio::task_local! {
    /// The server on which a scenario's databases are made; without one they are SQLite's, in memory.
    static SERVER: String;
}

/// A new database.
pub(crate) async fn empty() -> Db {
    let url = match SERVER.try_with(String::clone) {
        Ok(server) => postgres::database(&server).await,
        Err(_) => "sqlite::memory:".to_owned(),
    };
    Db::open(&url.parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap()
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
        Self::over(empty().await, settings)
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

/// A test for each scenario on SQLite, and one that runs them all on PostgreSQL (one server, a database for each).
macro_rules! scenarios {
    ($($module:ident :: $name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                $module::$name().await;
            }
        )*

        #[tokio::test]
        async fn everything_holds_on_postgres_too() {
            let server = postgres::Server::start();
            $(
                println!("{}", stringify!($name));
                SERVER.scope(server.url(), $module::$name()).await;
            )*
        }
    };
}

scenarios![
    admin::an_administrator_adds_lists_disables_and_enables,
    admin::a_password_gives_an_open_user_a_login_but_not_a_hosts,
    directory::it_is_paged_by_username,
    directory::one_user_is_there_or_not,
    directory::several_users_cost_one_statement,
    directory::services_look_up_by_id_and_name,
    http::the_flow_of_an_account,
    http::what_is_wrong_is_named,
    http::without_a_token_nothing_but_the_login_is_possible,
    http::logins_are_limited_by_address,
    http::rooms_are_asked_of_the_messages_service,
    http::the_document_says_everything,
    http::names_that_hide_or_turn_are_refused_and_old_ones_are_shown,
    jwt_mode::a_user_appears_on_first_sight_and_is_known_by_sub_and_iss,
    jwt_mode::the_same_first_sight_twice_at_once_is_one_user,
    jwt_mode::the_username_of_a_local_user_is_a_conflict,
    jwt_mode::there_are_no_logins_unless_both_are_taken,
    jwt_mode::a_logout_lasts_until_the_token_expires_in_every_spelling,
    jwt_mode::a_logout_of_a_token_that_is_not_remembered_lasts_until_the_token_expires_too,
    jwt_mode::a_remembered_token_does_not_outlive_its_key,
    jwt_mode::a_reserved_name_is_taken_by_no_token,
    jwt_mode::time_ends_it_though_it_is_remembered,
    jwt_mode::a_remembered_token_with_another_signature_is_checked_again,
    jwt_mode::a_disabled_user_stays_out,
    open_mode::a_username_is_enough,
    open_mode::a_reserved_name_is_taken_by_nobody,
    open_mode::it_does_not_serve_a_database_with_passwords,
    open_mode::elsewhere_a_username_is_no_proof,
    open_mode::its_tokens_prove_nothing_where_passwords_are_asked_for,
    passwords::a_reserved_name_is_taken_by_nobody_and_kept_by_who_has_it,
    passwords::the_first_login_creates_and_the_next_one_logs_in,
    passwords::whatever_is_wrong_looks_the_same,
    passwords::two_who_are_first_at_once_are_one_user,
    passwords::a_changed_password_revokes_the_other_tokens,
    passwords::a_full_pool_is_busy_and_creates_nobody,
    passwords::settings_that_cannot_be_are_named,
    passwords::only_users_are_somebody,
    presence::coming_and_going_is_told_once_whatever_the_gateways,
    presence::many_at_once_are_all_stored,
    presence::a_silent_gateway_takes_its_users_with_it,
    presence::a_gateway_that_stops_is_gone_at_once,
    presence::only_services_say_who_is_there,
    profile::what_a_user_says_is_shown_everywhere,
    profile::a_change_keeps_clears_and_merges,
    profile::what_may_not_be_is_named,
    profile::what_changes_is_told_once,
    sessions::a_token_ends_with_its_logout_and_its_time,
    sessions::what_is_no_token_is_unauthenticated,
    sessions::a_change_from_outside_ends_sessions_and_memories,
    sessions::a_new_display_name_is_seen_at_once_everywhere,
    sessions::several_instances_forget_what_changes_at_one_of_them,
];
