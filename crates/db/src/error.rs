//! What can go wrong: [`Error`] while running, for a service to handle; [`OpenError`] at the start, for an operator to read.

use std::fmt;
use std::path::PathBuf;

/// Why a transaction failed. Nothing of it happened.
///
/// (There is one corner, told as [`Error::Busy`]. On PostgreSQL, if the line breaks while the commit is on its way, nobody
/// can know. On SQLite, if the sync at the commit's end fails, the transaction is undone, but stands in the log's file
/// until the next one takes its place there: a crash before that brings it back. So a retry must be
/// protected by a key of its own, as messages are by their nonce.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No room on the disk, another process holds the database, or it can be reached no more: try again later.
    Busy(String),
    /// A unique rule was violated: its columns, as `table.column, table.column`.
    Conflict(String),
    /// Anything else: a mistake in a statement, a broken foreign key, a damaged file, a panic in the work.
    Failed(String),
}

impl Error {
    /// The answer to a write to a database that was opened with [`Access::ReadOnly`](crate::Access::ReadOnly).
    pub(crate) fn read_only() -> Error {
        Error::Failed("it was opened to be read only".to_owned())
    }

    /// The same error, its message followed by the statement that met it; a conflict stays as it is, because its
    /// text is read by programs.
    pub(crate) fn in_statement(self, sql: &str) -> Error {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Error::Busy(cause) => Error::Busy(format!("{cause} (in: {sql})")),
            Error::Conflict(columns) => Error::Conflict(columns),
            Error::Failed(cause) => Error::Failed(format!("{cause} (in: {sql})")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Busy(cause) => write!(f, "the database cannot do this now: {cause}"),
            Error::Conflict(columns) => write!(f, "a row with the same {columns} exists already"),
            Error::Failed(cause) => write!(f, "the database failed: {cause}"),
        }
    }
}

impl std::error::Error for Error {}

/// Why a database could not be opened: each is one line for an operator, that says what to do. The file is untouched
/// by every refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another server has the database; its process id, where its lock file tells it.
    InUse {
        /// The database file.
        file: PathBuf,
        /// The process that holds it.
        process: Option<u32>,
    },
    /// There is no such database, and this program was told only to read.
    Missing {
        /// The database file.
        file: PathBuf,
    },
    /// The folder is not there, or the file cannot be read or written.
    Unusable {
        /// The database file.
        file: PathBuf,
        /// What the operating system says, and what to do.
        cause: String,
    },
    /// The file is no SQLite database.
    NotADatabase {
        /// The file.
        file: PathBuf,
    },
    /// The file is a SQLite database, but of another program.
    NotOurs {
        /// The file.
        file: PathBuf,
    },
    /// The file is a Guild database, but damaged.
    Damaged {
        /// The database file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A newer version of this program has written the database.
    Newer {
        /// The database, as an operator knows it.
        database: String,
        /// The service whose schema is newer.
        service: String,
        /// The database's schema number.
        found: i64,
        /// The highest number that this program knows.
        known: i64,
    },
    /// The database is of an older version, and this program was told only to read.
    Older {
        /// The database, as an operator knows it.
        database: String,
        /// The service whose schema is older.
        service: String,
        /// The database's schema number.
        found: i64,
        /// The number that this program needs.
        needed: i64,
    },
    /// A copy of another database that was cut short.
    Incomplete {
        /// The database, as an operator knows it.
        database: String,
    },
    /// A step of the schema failed; the steps before it stand.
    Migration {
        /// The service whose step it is.
        service: String,
        /// The step's number.
        number: i64,
        /// The step's name.
        name: String,
        /// What the database said.
        cause: Error,
    },
    /// The database server cannot be reached, or answers with an error; or the file's engine does.
    Unreachable {
        /// The database, as an operator knows it, without its password.
        database: String,
        /// What it said.
        cause: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse { file, process } => {
                write!(f, "{} is in use by another guild server", file.display())?;
                if let Some(process) = process {
                    write!(f, " (process {process})")?;
                }
                write!(f, ": stop that one first, or give this one a database of its own (database.url)")
            }
            OpenError::Missing { file } => {
                write!(f, "{} does not exist: check database.url, or start the server once to make it", file.display())
            }
            OpenError::Unusable { file, cause } => write!(f, "{} cannot be used: {cause}", file.display()),
            OpenError::NotADatabase { file } => {
                write!(f, "{} is not a database: check database.url, or move the file away to start with an empty database", file.display())
            }
            OpenError::NotOurs { file } => {
                write!(f, "{} is a database of another program: check database.url, guild wants a file of its own", file.display())
            }
            OpenError::Damaged { file, cause } => write!(
                f,
                "{} is damaged ({cause}): restore it from a backup, or move it and its -wal file away to start empty",
                file.display()
            ),
            OpenError::Newer { database, service, found, known } => write!(
                f,
                "{database} was written by a newer version of guild ({service} schema {found}, this program knows up to \
                 {known}): run the newer version, or restore a backup from before the upgrade"
            ),
            OpenError::Older { database, service, found, needed } => write!(
                f,
                "{database} was written by an older version of guild ({service} schema {found}, this program needs \
                 {needed}): start this version's server once to bring it up to date"
            ),
            OpenError::Incomplete { database } => {
                write!(f, "{database} is a copy that is not complete: run the same guild copy again, which goes on with it")
            }
            OpenError::Migration { service, number, name, cause } => {
                write!(f, "step {number} ({name}) of the {service} schema failed, the database is as before that step: {cause}")
            }
            OpenError::Unreachable { database, cause } => {
                write!(f, "{database} cannot be opened: {cause}")
            }
        }
    }
}

impl std::error::Error for OpenError {}
