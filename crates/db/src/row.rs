//! One row of an answer, read by position.

use std::fmt::Display;

use crate::error::Error;

/// A row; columns are counted from 0. Asking for another type than the column's is an error, on both engines.
pub struct Row<'a>(pub(crate) Source<'a>);

/// The engine's own row.
pub(crate) enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

fn wrong(column: usize, cause: impl Display) -> Error {
    Error::Failed(format!("column {column}: {cause}"))
}

fn missing<T>(column: usize, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| wrong(column, "null where a value was expected"))
}

impl Row<'_> {
    /// The integer in this column.
    pub fn int(&self, column: usize) -> Result<i64, Error> {
        missing(column, self.maybe_int(column)?)
    }

    /// The text in this column.
    pub fn text(&self, column: usize) -> Result<String, Error> {
        missing(column, self.maybe_text(column)?)
    }

    /// The bytes in this column.
    pub fn bytes(&self, column: usize) -> Result<Vec<u8>, Error> {
        missing(column, self.maybe_bytes(column)?)
    }

    /// The sixteen bytes of an id in this column.
    pub fn id(&self, column: usize) -> Result<[u8; 16], Error> {
        missing(column, self.maybe_id(column)?)
    }

    /// The integer in this column, or `None` for a null.
    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.0 {
            Source::Sqlite(row) => row.get(column).map_err(|error| wrong(column, error)),
            Source::Postgres(row) => row.try_get(column).map_err(|error| wrong(column, error)),
        }
    }

    /// The text in this column, or `None` for a null.
    pub fn maybe_text(&self, column: usize) -> Result<Option<String>, Error> {
        match self.0 {
            Source::Sqlite(row) => row.get(column).map_err(|error| wrong(column, error)),
            Source::Postgres(row) => row.try_get(column).map_err(|error| wrong(column, error)),
        }
    }

    /// The same without a copy.
    pub fn maybe_str(&self, column: usize) -> Result<Option<&str>, Error> {
        match self.0 {
            Source::Sqlite(row) => {
                let value = row.get_ref(column).map_err(|error| wrong(column, error))?;
                value.as_str_or_null().map_err(|error| wrong(column, error))
            }
            Source::Postgres(row) => row.try_get(column).map_err(|error| wrong(column, error)),
        }
    }

    /// The bytes in this column, or `None` for a null.
    pub fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Error> {
        match self.0 {
            Source::Sqlite(row) => row.get(column).map_err(|error| wrong(column, error)),
            Source::Postgres(row) => row.try_get(column).map_err(|error| wrong(column, error)),
        }
    }

    /// The sixteen bytes of an id in this column, or `None` for a null.
    pub fn maybe_id(&self, column: usize) -> Result<Option<[u8; 16]>, Error> {
        let bytes = match self.0 {
            Source::Sqlite(row) => match row.get_ref(column).map_err(|error| wrong(column, error))? {
                rusqlite::types::ValueRef::Null => None,
                value => Some(value.as_blob().map_err(|error| wrong(column, error))?),
            },
            Source::Postgres(row) => row.try_get::<_, Option<&[u8]>>(column).map_err(|error| wrong(column, error))?,
        };
        bytes.map(|bytes| bytes.try_into().map_err(|_| wrong(column, format!("an id of {} bytes", bytes.len())))).transpose()
    }
}
