//! Looks at a file before it is opened: is it ours, whole, and not newer than this program? Nothing is written here.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::connect::{self, APPLICATION};
use crate::access::Access;
use crate::error::OpenError;
use crate::migrations::READ_STEPS;

/// What lies at the database's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No file, or an empty one.
    Absent,
    /// A Guild database.
    Ours,
}

/// The file's real path (so that two names of one file have one lock), after making sure of its folder and of the
/// right to use it.
pub(super) fn resolve(file: &Path, access: Access) -> Result<PathBuf, OpenError> {
    let unusable = |cause: String| OpenError::Unusable { file: file.to_owned(), cause };
    match fs::canonicalize(file) {
        Ok(real) => {
            if real.is_dir() {
                return Err(unusable("it is a folder: name a file in it".to_owned()));
            }
            File::options().read(true).write(access != Access::ReadOnly).open(&real).map_err(|error| {
                unusable(format!("{error}: let this user read{} it", if access == Access::ReadOnly { "" } else { " and write" }))
            })?;
            Ok(real)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let name = file.file_name().ok_or_else(|| unusable("its name is missing".to_owned()))?;
            let folder = match file.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            let real = fs::canonicalize(folder).map_err(|error| {
                unusable(format!("the folder {} cannot be reached ({error}): make it, or check database.url", folder.display()))
            })?;
            Ok(real.join(name))
        }
        Err(error) => Err(unusable(format!("{error}: check database.url"))),
    }
}

/// What the first hundred bytes of the file say (SQLite's "Database File Format", 1.3).
pub(super) fn header(file: &Path) -> Result<State, OpenError> {
    let unusable = |error: std::io::Error| OpenError::Unusable { file: file.to_owned(), cause: error.to_string() };
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) => return Err(unusable(error)),
    };
    let length = opened.metadata().map_err(unusable)?.len();
    if length == 0 {
        return Ok(State::Absent);
    }
    let mut header = [0_u8; 100];
    match opened.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(OpenError::NotADatabase { file: file.to_owned() });
        }
        Err(error) => return Err(unusable(error)),
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotADatabase { file: file.to_owned() });
    }
    if number_at(&header, 68) != APPLICATION {
        return Err(OpenError::NotOurs { file: file.to_owned() });
    }
    // Two bytes, where 1 stands for 65,536.
    let page = match number_at(&header, 14) & 0xFFFF {
        1 => 65_536,
        page => page,
    };
    let promised = number_at(&header, 28).saturating_mul(page).unsigned_abs();
    if length < promised && !has_log(file) {
        let cause = format!("{length} bytes long, where its header promises {promised}");
        return Err(OpenError::Damaged { file: file.to_owned(), cause });
    }
    Ok(State::Ours)
}

/// The steps of the schema that the file's database has taken: each service's highest number.
pub(super) fn steps(file: &Path) -> Result<Vec<(String, i64)>, OpenError> {
    let connection = connect::glance(file, !has_log(file))?;
    let read = || {
        let noted: i64 =
            connection
                .query_row("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_steps'", [], |row| row.get(0))?;
        if noted == 0 {
            // A start that was cut short before its first step.
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare(READ_STEPS)?;
        let steps = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        steps.collect()
    };
    read().map_err(|error| connect::refused(file, &error))
}

/// Whether a write-ahead log with something in it lies beside the file: left by a crash, or in use.
fn has_log(file: &Path) -> bool {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(PathBuf::from(name)).is_ok_and(|log| log.len() > 0)
}

/// The four bytes at this place, the highest first.
fn number_at(header: &[u8; 100], place: usize) -> i64 {
    header.iter().skip(place).take(4).fold(0, |number, byte| number << 8 | i64::from(*byte))
}
