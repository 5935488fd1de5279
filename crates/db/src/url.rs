//! Where a database is, as the setting `database.url` says it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// `sqlite:guild.db` (a file in the working folder), `sqlite:///a/path.db`, `sqlite::memory:`, or `postgres://...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    File(PathBuf),
    /// A SQLite database in this process's memory: gone when the last handle is.
    Memory,
    /// A PostgreSQL server, in the form that libpq and tokio-postgres read; may hold a password.
    Postgres(String),
}

/// A text that is no [`DatabaseUrl`]; says which forms there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrlError(String);

impl fmt::Display for DatabaseUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: write sqlite:guild.db (a file in the working folder), sqlite:///a/path.db, sqlite::memory: or \
             postgres://user@host/name",
            self.0
        )
    }
}

impl std::error::Error for DatabaseUrlError {}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(text.to_owned()));
        }
        let Some(place) = text.strip_prefix("sqlite:") else {
            return Err(DatabaseUrlError("a database is named by its kind and place".to_owned()));
        };
        let path = place.strip_prefix("//").unwrap_or(place);
        if path == ":memory:" {
            return Ok(DatabaseUrl::Memory);
        }
        if path.is_empty() || path.ends_with('/') {
            return Err(DatabaseUrlError("the file's name is missing".to_owned()));
        }
        if path.contains(['?', '\0']) {
            return Err(DatabaseUrlError("a file's name may hold no question mark and no NUL".to_owned()));
        }
        Ok(DatabaseUrl::File(PathBuf::from(path)))
    }
}

impl fmt::Display for DatabaseUrl {
    /// For logs and errors: a PostgreSQL address loses its user, password and options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::File(path) => write!(f, "sqlite:{}", path.display()),
            DatabaseUrl::Memory => write!(f, "sqlite::memory:"),
            DatabaseUrl::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let read = |text: &str| text.parse::<DatabaseUrl>();
        assert_eq!(read("sqlite:guild.db"), Ok(DatabaseUrl::File("guild.db".into())));
        assert_eq!(read("sqlite:///a/path.db"), Ok(DatabaseUrl::File("/a/path.db".into())));
        assert_eq!(read("sqlite:/a/path.db"), Ok(DatabaseUrl::File("/a/path.db".into())));
        assert_eq!(read("sqlite::memory:"), Ok(DatabaseUrl::Memory));
        assert_eq!(read("postgres://me@here/chat"), Ok(DatabaseUrl::Postgres("postgres://me@here/chat".into())));
        for wrong in ["", "guild.db", "sqlite:", "sqlite://", "mysql://here/chat", "sqlite:a.db?mode=ro", "sqlite:a/"] {
            assert!(read(wrong).is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let url: DatabaseUrl = "postgres://me:s3cret@db.example:5432/chat?sslmode=disable&password=s3cret".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5432/chat");
    }
}
