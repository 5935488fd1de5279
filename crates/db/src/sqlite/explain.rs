//! Errors of SQLite as this crate's errors.

use rusqlite::{ErrorCode, ffi};

use crate::error::Error;

/// An error of SQLite as this crate's error.
pub(super) fn explain(error: &rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return Error::Failed(error.to_string());
    };
    let said = message.as_deref().unwrap_or_default();
    match (code.code, code.extended_code) {
        (ErrorCode::DiskFull, _) => Error::Busy("the disk is full".to_owned()),
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Error::Busy("another process holds it".to_owned()),
        (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory, extended) => {
            Error::Busy(format!("{error} (SQLite's code {extended}): look at the disk"))
        }
        // Its file was moved or its folder made read only, while SQLITE_READONLY itself is a write in a read.
        (ErrorCode::ReadOnly, extended) if extended != ffi::SQLITE_READONLY => {
            Error::Busy(format!("{error} (SQLite's code {extended}): look at the file"))
        }
        (
            ErrorCode::ConstraintViolation,
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID,
        ) => Error::Conflict(said.strip_prefix("UNIQUE constraint failed: ").unwrap_or(said).to_owned()),
        _ => Error::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_busy() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_BUSY_SNAPSHOT] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert!(matches!(explain(&error), Error::Busy(_)), "{code} became {:?}", explain(&error));
        }
        let damaged = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None);
        assert!(matches!(explain(&damaged), Error::Failed(_)));
    }
}
