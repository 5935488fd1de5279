//! A schema as numbered steps; both engines note the steps that were taken in the table `schema_steps`.

use crate::access::Access;
use crate::error::OpenError;

/// One service's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The service's name, as in `schema_steps`.
    pub service: &'static str,
    /// Every step there ever was, by rising number. A step that was released is never changed.
    pub steps: &'static [Migration],
}

/// One step, taken in a transaction of its own.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the service's steps; the first is 1.
    pub number: i64,
    /// What it does, in a few words.
    pub name: &'static str,
    /// The step's statements for SQLite, separated by semicolons.
    pub sqlite: &'static str,
    /// The same for PostgreSQL.
    pub postgres: &'static str,
}

/// What this crate itself keeps in a database: a few named numbers, one of them the epoch.
pub(crate) const OWN: Migrations = Migrations {
    service: "db",
    steps: &[Migration {
        number: 1,
        name: "meta",
        sqlite: "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL) WITHOUT ROWID",
        postgres: "CREATE TABLE meta (name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, value BIGINT NOT NULL)",
    }],
};

/// The table in which the steps are noted. It is made before the first step, so it is no step itself.
pub(crate) const STEPS_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_steps (
    service TEXT NOT NULL, number BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (service, number))";

/// Notes the epoch `$1` unless there is one.
pub(crate) const FIRST_EPOCH: &str = "INSERT INTO meta (name, value) VALUES ('epoch', $1) ON CONFLICT (name) DO NOTHING";

/// The epoch, as the integer that [`epoch_from`] reads.
pub(crate) const READ_EPOCH: &str = "SELECT value FROM meta WHERE name = 'epoch'";

/// Notes for which of a server's timelines the epoch holds, and begins this new one where it held for another: statements without parameters.
/// A database that has noted none is as old as its epoch.
pub(crate) fn note_timeline(timeline: i64, epoch: i64) -> String {
    format!(
        "UPDATE meta SET value = {epoch} WHERE name = 'epoch' AND EXISTS (SELECT 1 FROM meta WHERE name = 'timeline' AND value <> {timeline});
        INSERT INTO meta (name, value) VALUES ('timeline', {timeline}) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
}

/// Replaces the epoch by `$1`.
pub(crate) const WRITE_EPOCH: &str = "UPDATE meta SET value = $1 WHERE name = 'epoch'";

/// Notes that the database is a copy that is not complete: every opening but for going on with it is refused.
pub(crate) const COPY_BEGINS: &str = "INSERT INTO schema_steps (service, number, name) VALUES ('copy', 1, 'not complete')";

/// Notes that it is complete.
pub(crate) const COPY_ENDS: &str = "DELETE FROM schema_steps WHERE service = 'copy'";

/// Refuses a copy that is not complete, unless it is opened to go on with it.
pub(crate) fn refuse_incomplete(database: &str, taken: &[(String, i64)], access: Access) -> Result<(), OpenError> {
    if access != Access::Alone && highest(taken, "copy") > 0 {
        return Err(OpenError::Incomplete { database: database.to_owned() });
    }
    Ok(())
}

/// The steps that were taken: one row a service, with its highest number.
pub(crate) const READ_STEPS: &str = "SELECT service, MAX(number) FROM schema_steps GROUP BY service";

/// Notes a step: `$1` service, `$2` number, `$3` name.
pub(crate) const NOTE_STEP: &str = "INSERT INTO schema_steps (service, number, name) VALUES ($1, $2, $3)";

/// Every schema of this program, this crate's own first.
pub(crate) fn all(services: &[Migrations]) -> Vec<Migrations> {
    std::iter::once(OWN).chain(services.iter().copied()).collect()
}

/// The highest number that `taken` has of this service; 0 if none.
pub(crate) fn highest(taken: &[(String, i64)], service: &str) -> i64 {
    taken.iter().filter(|(name, _)| name == service).map(|(_, number)| *number).max().unwrap_or(0)
}

/// Refuses a database that knows more steps than this program.
pub(crate) fn refuse_newer(database: &str, taken: &[(String, i64)], wanted: &[Migrations]) -> Result<(), OpenError> {
    for schema in wanted {
        let found = highest(taken, schema.service);
        let known = schema.steps.iter().map(|step| step.number).max().unwrap_or(0);
        if found > known {
            return Err(OpenError::Newer { database: database.to_owned(), service: schema.service.to_owned(), found, known });
        }
    }
    Ok(())
}

/// Refuses a database that knows fewer steps than this program: for those who may not take the missing ones.
pub(crate) fn refuse_older(database: &str, taken: &[(String, i64)], wanted: &[Migrations]) -> Result<(), OpenError> {
    for schema in wanted {
        let found = highest(taken, schema.service);
        let needed = schema.steps.iter().map(|step| step.number).max().unwrap_or(0);
        if found < needed {
            return Err(OpenError::Older { database: database.to_owned(), service: schema.service.to_owned(), found, needed });
        }
    }
    Ok(())
}

/// A new database's epoch. It stays below 2^63, so that the integer in the table reads the same.
pub(crate) fn random_epoch() -> Result<u64, String> {
    getrandom::u64().map(|number| number >> 1).map_err(|error| format!("no random numbers to be had: {error}"))
}

/// The epoch of the integer in the table.
pub(crate) fn epoch_from(stored: i64) -> u64 {
    stored.cast_unsigned()
}
