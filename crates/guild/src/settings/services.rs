//! Which services run here, and over what they reach one another and the disk.

use std::fmt;

use bus::NatsSettings;
use db::DatabaseUrl;

use super::nats;
use super::reader::Reader;

/// The services and what connects them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// Which of them run in this process.
    pub run: Run,
    /// Where everything is kept.
    pub database: DatabaseUrl,
    /// How other processes are reached; `None` where there are none.
    pub nats: Option<NatsSettings>,
    /// Whether calls between services go through their bytes, for tests.
    pub encode: bool,
}

/// The services that there are, in the order in which they are told.
pub const ALL: [&str; 3] = ["users", "messages", "chat"];

/// Which services run in this process; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Accounts, tokens, presence.
    pub users: bool,
    /// Rooms and the log.
    pub messages: bool,
    /// Live connections.
    pub chat: bool,
}

impl Run {
    /// Whether nothing is missing.
    pub fn everything(self) -> bool {
        self.users && self.messages && self.chat
    }

    /// Whether any of them keeps something in the database.
    pub fn keeps(self) -> bool {
        self.users || self.messages
    }

    fn read(texts: &[String]) -> Result<Self, String> {
        let all = ALL.join(", ");
        if let Some(unknown) = texts.iter().find(|text| !ALL.contains(&text.as_str())) {
            return Err(format!("there is no service {unknown:?}; allowed are {all}"));
        }
        let has = |service: &str| texts.iter().any(|text| text == service);
        let [users, messages, chat] = ALL.map(has);
        let run = Self { users, messages, chat };
        if run.keeps() || run.chat { Ok(run) } else { Err(format!("nothing would run; allowed are {all}, any of them")) }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = ALL.into_iter().zip([self.users, self.messages, self.chat]).filter(|(_, runs)| *runs);
        f.write_str(&runs.map(|(name, _)| name).collect::<Vec<_>>().join(", "))
    }
}

impl Services {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let run = reader.list("run", |texts| Run::read(&texts));
        let nats = nats::read(reader, run.map(|run| format!("guild {run}")).unwrap_or_default());
        let database = reader.parsed("database.url", |text| text.parse::<DatabaseUrl>().map_err(|error| error.to_string()));
        let encode = reader.flag("bus.encode");
        let services = Self { run: run?, database: database?, nats: nats?, encode: encode? };
        services.together(reader)
    }

    /// What these mean together.
    fn together(self, reader: &mut Reader<'_>) -> Option<Self> {
        if !self.run.everything() && self.nats.is_none() {
            let why =
                "the services that are not in this process have to be reached: set nats.url, or run all of users, messages, chat here";
            return reader.refuse("run", why);
        }
        let postgres = matches!(self.database, DatabaseUrl::Postgres(_));
        if self.run.keeps() && self.nats.is_some() && !postgres {
            let why = "processes that NATS connects share one database, and SQLite serves one process only: use \
                       postgres://user:password@host/database, or run everything in one process without nats.url \
                       (`guild copy` moves a database)";
            return reader.refuse("database.url", why);
        }
        if self.encode && self.nats.is_some() {
            return reader.refuse("bus.encode", "it is for tests of one process; with nats.url calls go through their bytes anyway");
        }
        Some(self)
    }
}
