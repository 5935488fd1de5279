//! Databases for tests: each is new, and gone afterwards.

pub mod postgres;

use db::{Access, Db, Migrations, OpenError};
use tempfile::TempDir;

/// A place where a database can be opened, closed and opened again.
pub struct Place {
    pub url: String,
    pub folder: Option<TempDir>,
    pub server: Option<postgres::Server>,
}

impl Place {
    /// An empty folder for `guild.db`.
    pub fn file() -> Place {
        let folder = TempDir::new().unwrap();
        Place { url: format!("sqlite:{}", folder.path().join("guild.db").display()), folder: Some(folder), server: None }
    }

    /// In memory: every opening is a new database.
    pub fn memory() -> Place {
        Place { url: "sqlite::memory:".to_owned(), folder: None, server: None }
    }

    /// A PostgreSQL server of its own.
    pub fn postgres() -> Place {
        let server = postgres::Server::start();
        Place { url: server.url(), folder: None, server: Some(server) }
    }

    pub async fn try_open(&self, migrations: &[Migrations], access: Access) -> Result<Db, OpenError> {
        Db::open(&self.url.parse().unwrap(), migrations, access).await
    }

    pub async fn open(&self, migrations: &[Migrations]) -> Db {
        self.try_open(migrations, Access::Server).await.unwrap_or_else(|error| panic!("{error}"))
    }
}
