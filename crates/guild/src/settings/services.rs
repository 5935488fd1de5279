//! Which services run here, and over what they reach one another and the disk.

use db::DatabaseUrl;

use super::reader::Reader;

/// The services and what connects them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// Where everything is kept.
    pub database: DatabaseUrl,
    /// Whether calls between services go through their bytes, for tests.
    pub encode: bool,
}

/// The services that there are, in the order in which they are told.
pub const ALL: [&str; 3] = ["users", "messages", "chat"];

impl Services {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let run = reader.list("run", |texts| run(&texts));
        let nats = reader.parsed("nats.url", |text| match text {
            "" => Ok(()),
            _ => Err("NATS connects several processes, which comes in a later version; allowed is nothing".to_owned()),
        });
        let database = reader.parsed("database.url", |text| match text.parse::<DatabaseUrl>() {
            Ok(DatabaseUrl::Postgres(_)) => {
                Err("PostgreSQL comes in a later version; allowed are sqlite:guild.db, sqlite:///a/path.db and sqlite::memory:".to_owned())
            }
            Ok(url) => Ok(url),
            Err(error) => Err(error.to_string()),
        });
        let encode = reader.flag("bus.encode");
        run?;
        nats?;
        Some(Self { database: database?, encode: encode? })
    }
}

fn run(texts: &[String]) -> Result<(), String> {
    let all = ALL.join(", ");
    if let Some(unknown) = texts.iter().find(|text| !ALL.contains(&text.as_str())) {
        return Err(format!("there is no service {unknown:?}; allowed are {all}"));
    }
    match ALL.iter().find(|service| !texts.iter().any(|text| text == *service)) {
        None => Ok(()),
        Some(missing) => {
            Err(format!("{missing} is missing, and running only some of the services is not yet possible; allowed is all of them: {all}"))
        }
    }
}
