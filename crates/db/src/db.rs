//! The handle that a service holds, over whichever engine.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use vital::Vital;

use crate::access::Access;
use crate::error::{Error, OpenError};
use crate::migrations::{self, Migrations};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::trips::Trips;
use crate::tx::Tx;
use crate::url::DatabaseUrl;
use crate::values;
use crate::work::{self, Answer, Work};

/// An open database; a clone is the same one.
#[derive(Clone)]
pub struct Db {
    backend: Arc<Backend>,
}

enum Backend {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

/// Where a transaction runs.
enum Lane {
    Read,
    ReadSlowly,
    Write,
}

/// The engine behind a [`Db`], for the few statements that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, in this process.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

impl Db {
    /// Opens a database, makes it if it is absent (not with [`Access::ReadOnly`]), and takes the steps of the schemas
    /// that are missing. A refusal is one line for an operator.
    pub fn open<'a>(url: &'a DatabaseUrl, migrations: &'a [Migrations], access: Access) -> BoxFuture<'a, Result<Db, OpenError>> {
        Box::pin(open(url, migrations, access))
    }

    /// Runs work that sees one consistent snapshot and may not write; on SQLite on one of a few reader threads.
    ///
    /// ```ignore
    /// db.read(move |tx| Box::pin(async move { tx.row("SELECT ...", &values![id], |row| row.int(0)).await })).await
    /// ```
    pub async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        work::recall(self.run(Lane::Read, work::forget(work)).await?)
    }

    /// Like [`Db::read`], for work that may look at much: a search, a list of lists. It runs in a lane of its own, few at a time, so that what
    /// is quick (logins, resume, history) never waits behind it. A read that waits too long for its turn is [`Error::Busy`].
    pub async fn read_slowly<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        work::recall(self.run(Lane::ReadSlowly, work::forget(work)).await?)
    }

    /// Runs work in one transaction: `Ok` means committed and synced to disk, `Err` that nothing of it happened.
    ///
    /// On SQLite all writes happen one after the other, in the order in which they were asked for, and a write whose
    /// caller stops waiting is carried out all the same. On PostgreSQL they happen side by side (`READ COMMITTED`: a
    /// lock is taken in a statement of its own, and what follows sees what the lock waited for), and such a write is undone.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        work::recall(self.run(Lane::Write, work::forget(work)).await?)
    }

    /// Boxed, so that the engines are compiled in this crate and not again in each that waits for an answer.
    fn run(&self, lane: Lane, work: Work) -> BoxFuture<'_, Result<Answer, Error>> {
        Box::pin(async move {
            match (&*self.backend, lane) {
                (Backend::Sqlite(sqlite), Lane::Read) => sqlite.read(work).await,
                (Backend::Sqlite(sqlite), Lane::ReadSlowly) => sqlite.read_slowly(work).await,
                (Backend::Sqlite(sqlite), Lane::Write) => sqlite.write(work).await,
                (Backend::Postgres(postgres), Lane::Read) => postgres.read(work).await,
                (Backend::Postgres(postgres), Lane::ReadSlowly) => postgres.read_slowly(work).await,
                (Backend::Postgres(postgres), Lane::Write) => postgres.write(work).await,
            }
        })
    }

    /// The database's epoch: a random number below 2^63, drawn when the database was made, that marks its cursors.
    pub fn epoch(&self) -> u64 {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.epoch(),
            Backend::Postgres(postgres) => postgres.epoch(),
        }
    }

    /// Begins a new epoch, as a database needs that was restored from a backup: every cursor given out before is
    /// refused from now on. A server that runs over the same database takes it up within a second.
    pub async fn new_epoch(&self) -> Result<u64, Error> {
        let epoch = migrations::random_epoch().map_err(Error::Failed)?;
        let stored = epoch.cast_signed();
        self.write(move |tx| Box::pin(async move { tx.execute(migrations::WRITE_EPOCH, &values![stored]).await.map(|_| ()) })).await?;
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.set_epoch(epoch),
            Backend::Postgres(postgres) => postgres.set_epoch(epoch),
        }
        Ok(epoch)
    }

    /// Changes when another process has written to the SQLite file, at the latest half a second after it did. On PostgreSQL, where other
    /// servers are a matter of course, when one has that was opened with [`Access::Tool`], within a second. Never in memory.
    pub fn foreign_writes(&self) -> watch::Receiver<u64> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.foreign_writes(),
            Backend::Postgres(postgres) => postgres.foreign_writes(),
        }
    }

    /// Whether the database answers, for `/readyz`.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|tx| Box::pin(async move { tx.row(migrations::READ_EPOCH, &[], |row| row.int(0)).await.map(|_| ()) })).await
    }

    /// The threads and tasks that the database cannot do without.
    pub fn vital(&self) -> Vital {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.vital(),
            Backend::Postgres(postgres) => postgres.vital(),
        }
    }

    /// How many statements services have run so far, each of a list counted, so that a test can tell that work costs a fixed number of
    /// them however much is read.
    pub fn statements(&self) -> u64 {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.statements(),
            Backend::Postgres(postgres) => postgres.statements(),
        }
    }

    /// How many round trips to the database services have made so far; none on SQLite, which is in this process.
    pub fn trips(&self) -> Trips {
        match &*self.backend {
            Backend::Sqlite(_) => Trips::default(),
            Backend::Postgres(postgres) => postgres.trips(),
        }
    }

    /// The engine, for the few statements that differ.
    pub fn engine(&self) -> Engine {
        match &*self.backend {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }

    /// Finishes the work that waits, refuses more as [`Error::Busy`], moves the log into the file and releases
    /// the lock. The same happens, blocking, when the last handle is dropped.
    pub async fn close(&self) {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close(),
        }
    }
}

async fn open(url: &DatabaseUrl, migrations: &[Migrations], access: Access) -> Result<Db, OpenError> {
    let backend = match url {
        DatabaseUrl::Postgres(address) => Backend::Postgres(Box::new(Postgres::open(address, &url.to_string(), migrations, access).await?)),
        DatabaseUrl::Memory => {
            let migrations = migrations.to_vec();
            Backend::Sqlite(off_the_runtime(url, move || Sqlite::open_memory(&migrations)).await?)
        }
        DatabaseUrl::File(file) => {
            let (file, migrations) = (file.clone(), migrations.to_vec());
            Backend::Sqlite(off_the_runtime(url, move || Sqlite::open_file(&file, &migrations, access)).await?)
        }
    };
    Ok(Db { backend: Arc::new(backend) })
}

/// Opening waits for the disk, so it does not happen on one of the runtime's threads.
async fn off_the_runtime<T: Send + 'static>(
    url: &DatabaseUrl,
    open: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    tokio::task::spawn_blocking(open)
        .await
        .unwrap_or_else(|error| Err(OpenError::Unreachable { database: url.to_string(), cause: error.to_string() }))
}
