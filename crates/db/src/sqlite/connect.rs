//! Connections to a file, tuned for what each is for.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::OpenError;

/// `GILD` in ASCII: the mark that a SQLite file carries for the program it belongs to (`PRAGMA application_id`).
pub(super) const APPLICATION: i64 = 0x4749_4C44;

/// How long a transaction waits for another process's (`guild user`, `guild check`) before it is refused as busy.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a checkpoint waits for readers that are still at the log's beginning. The writer waits with it, so it is short: while `guild
/// check` reads a large database the log grows instead, and the next checkpoint tries again.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_millis(250);

/// How many prepared statements a connection keeps: more than all services together have.
const STATEMENTS: usize = 256;

/// `synchronous = FULL` is the promise: a commit is synced before it is answered. 64 MB of pages for the writer, which
/// changes one page of an index per room; the log's file shrinks to 64 MB when it starts anew. What is deleted is overwritten with zeros.
const WRITER: &str = "PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;";

/// Each commit makes a reader's own pages stale, so it keeps few (8 MB); the system's cache has the rest. The file is not
/// mapped: measured (`examples/engines.rs`, 4 readers beside 430 commits a second) a page of 50 rows costs 58 us of CPU
/// without and 53 to 90 with it, the process's memory would seem to grow with the database, and a disk's error in
/// a mapped page ends the process.
const READER: &str = "PRAGMA cache_size = -8192;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;";

/// The writer's connection. An empty or absent file becomes a Guild database here.
pub(super) fn writer(file: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open(file, flags)?;
    let prepare = || {
        let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        if application != APPLICATION {
            // Before the log exists, so that the mark stands in the file itself from its first page on.
            connection.execute_batch(&format!("PRAGMA application_id = {APPLICATION}"))?;
        }
        connection.execute_batch(WRITER)
    };
    prepare().map_err(|error| refused(file, &error))?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(file: &Path) -> Result<Connection, OpenError> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.execute_batch(READER).map_err(|error| refused(file, &error))?;
    Ok(connection)
}

/// The checkpointer's connection.
pub(super) fn checkpointer(file: &Path) -> Result<Connection, OpenError> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(CHECKPOINT_TIMEOUT).map_err(|error| refused(file, &error))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;").map_err(|error| refused(file, &error))?;
    Ok(connection)
}

/// A connection for a look that leaves the file and its log as they are, byte for byte.
pub(super) fn glance(file: &Path, frozen: bool) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if frozen {
        // No log lies beside the file, so nothing needs to be made there to read it.
        let name = format!("file:{}?immutable=1", escape(file));
        Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_URI).map_err(|error| refused(file, &error))?
    } else {
        open(file, flags)?
    };
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(|error| refused(file, &error))?;
    Ok(connection)
}

/// The one connection of a database in memory.
pub(super) fn memory() -> Result<Connection, OpenError> {
    let place = Path::new(":memory:");
    let connection = Connection::open_in_memory().map_err(|error| refused(place, &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    plan_once(&connection).map_err(|error| refused(place, &error))?;
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")
        .map_err(|error| refused(place, &error))?;
    Ok(connection)
}

fn open(file: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(file, flags).map_err(|error| refused(file, &error))?;
    connection.busy_timeout(TIMEOUT).map_err(|error| refused(file, &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    plan_once(&connection).map_err(|error| refused(file, &error))?;
    Ok(connection)
}

/// Keeps a statement's plan whatever values it is given. Else SQLite (3.51) looks at the value behind `LIMIT $n`, and so parses and plans
/// such a statement anew for each execution: 4% of the CPU of a page of history (`bench -- history`, perf: sqlite3Reprepare).
fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn escape(file: &Path) -> String {
    file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// What an error while opening means to an operator.
pub(super) fn refused(file: &Path, error: &rusqlite::Error) -> OpenError {
    let file = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { file, cause: error.to_string() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenError::Unusable { file, cause: "another program holds it locked: close that program and try again".to_owned() }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            OpenError::Unusable { file, cause: format!("{error}: let this user write the file and its folder") }
        }
        Some(ErrorCode::DiskFull) => OpenError::Unusable { file, cause: "the disk is full: make room and try again".to_owned() },
        _ => refused_text(&file, error.to_string()),
    }
}

/// The same for what is no error of SQLite's.
pub(super) fn refused_text(file: &Path, cause: impl ToString) -> OpenError {
    OpenError::Unreachable { database: file.display().to_string(), cause: cause.to_string() }
}
