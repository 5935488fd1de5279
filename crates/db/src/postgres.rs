//! The second engine, so far a spike: the whole face, over a pool of connections to one server, without TLS.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_postgres::NoTls;

use crate::db::Access;
use crate::error::{Error, OpenError};
use crate::migrations::{self, FIRST_EPOCH, Migration, Migrations, NOTE_STEP, READ_EPOCH, READ_STEPS, STEPS_TABLE};
use crate::tx::{self, Tx};

mod session;

pub(crate) use session::Session;
use session::{explain, unavailable};

/// How many connections a pool has at most: writes are batched, so few are busy at once.
const CONNECTIONS: usize = 16;

/// How long a transaction waits for a connection before it is refused as busy.
const PATIENCE: Duration = Duration::from_secs(5);

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The promise, whatever the server's own default is.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL synchronous_commit = on";

/// One program at a time takes steps of the schema. The number is `GILD` again, which nobody else locks here.
const STEP_LOCK: &str = "SELECT pg_advisory_xact_lock(1195985988)";

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
    access: Access,
    epoch: AtomicU64,
    /// Counts transactions: what one remembered is never known to hold in the next.
    transactions: AtomicU64,
    foreign: watch::Sender<u64>,
}

impl Postgres {
    /// Connects, and takes the missing steps of the schemas. `name` is the address without its password.
    pub(crate) async fn open(address: &str, name: &str, services: &[Migrations], access: Access) -> Result<Postgres, OpenError> {
        let refused = |cause: String| OpenError::Unreachable { database: name.to_owned(), cause };
        let config: tokio_postgres::Config = address.parse().map_err(|error: tokio_postgres::Error| refused(error.to_string()))?;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let connection = pool.get().await.map_err(|error| refused(unavailable(&error)))?;

        let wanted = migrations::all(services);
        let taken = taken(&connection).await.map_err(|error| refused(error.to_string()))?;
        migrations::refuse_newer(name, &taken, &wanted)?;
        if access == Access::ReadOnly {
            migrations::refuse_older(name, &taken, &wanted)?;
        } else {
            for schema in &wanted {
                for step in schema.steps {
                    take(&connection, schema.service, step).await.map_err(|cause| OpenError::Migration {
                        service: schema.service.to_owned(),
                        number: step.number,
                        name: step.name.to_owned(),
                        cause,
                    })?;
                }
            }
        }
        let epoch = epoch(&connection, access).await.map_err(|error| refused(error.to_string()))?;
        Ok(Postgres { pool, access, epoch: AtomicU64::new(epoch), transactions: AtomicU64::new(0), foreign: watch::Sender::new(0) })
    }

    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send,
    {
        self.transact(BEGIN_READ, work).await
    }

    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send,
    {
        if self.access == Access::ReadOnly {
            return Err(Error::read_only());
        }
        let started = Instant::now();
        let answer = self.transact(BEGIN_WRITE, work).await?;
        metrics::histogram!("guild_commit_seconds").record(started.elapsed());
        Ok(answer)
    }

    /// Begins, works, and commits or undoes. The transaction's first error is the answer, whatever the work answers.
    async fn transact<T, F>(&self, begin: &str, work: F) -> Result<T, Error>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send,
    {
        let connection = self.pool.get().await.map_err(|error| Error::Busy(unavailable(&error)))?;
        let session = Session::begin(connection, begin).await?;
        let mut tx = Tx::new(tx::Session::Postgres(session));
        tx.generation = self.transactions.fetch_add(1, Ordering::Relaxed);
        // After a panic the connection goes with `tx`, and the server undoes the transaction.
        let outcome =
            AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind().await.unwrap_or_else(|panic| Err(tx::panicked(panic.as_ref())));
        let outcome = outcome.and_then(|answer| tx.failed.clone().map_or(Ok(answer), Err));
        let tx::Session::Postgres(session) = tx.session else {
            return Err(Error::Failed("a SQLite transaction on a PostgreSQL connection".to_owned()));
        };
        match outcome {
            Ok(answer) => session.end("COMMIT").await.map(|()| answer),
            Err(error) => {
                if let Err(rollback) = session.end("ROLLBACK").await {
                    tracing::warn!(error = %rollback, "a failed transaction's connection was given up");
                }
                Err(error)
            }
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    pub(crate) fn foreign_writes(&self) -> watch::Receiver<u64> {
        self.foreign.subscribe()
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// The steps that the database has taken; none if it is empty.
async fn taken(connection: &Object) -> Result<Vec<(String, i64)>, Error> {
    let noted = connection.query_one("SELECT CAST(to_regclass('schema_steps') AS TEXT)", &[]).await.map_err(|error| explain(&error))?;
    if noted.try_get::<_, Option<String>>(0).map_err(|error| explain(&error))?.is_none() {
        return Ok(Vec::new());
    }
    let rows = connection.query(READ_STEPS, &[]).await.map_err(|error| explain(&error))?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, _>>().map_err(|e| explain(&e))
}

/// Takes a step unless it is taken, in a transaction of its own.
async fn take(connection: &Object, service: &str, step: &Migration) -> Result<(), Error> {
    let within = async {
        connection.batch_execute("BEGIN").await?;
        connection.query(STEP_LOCK, &[]).await?;
        connection.batch_execute(STEPS_TABLE).await?;
        let highest = connection.query("SELECT MAX(number) FROM schema_steps WHERE service = $1", &[&service]).await?;
        let highest: Option<i64> = highest.first().map_or(Ok(None), |row| row.try_get(0))?;
        if highest.is_none_or(|highest| highest < step.number) {
            connection.batch_execute(step.postgres).await?;
            connection.execute(NOTE_STEP, &[&service, &step.number, &step.name]).await?;
            tracing::info!(service, number = step.number, step.name, "made or changed the tables");
        }
        connection.batch_execute("COMMIT").await
    };
    match within.await {
        Ok(()) => Ok(()),
        Err(error) => {
            // Whether or not this succeeds, the opening fails and the connection is closed.
            let _ = connection.batch_execute("ROLLBACK").await;
            Err(explain(&error))
        }
    }
}

/// The database's epoch; a new database gets one.
async fn epoch(connection: &Object, access: Access) -> Result<u64, Error> {
    if access != Access::ReadOnly {
        let first = migrations::random_epoch().map_err(Error::Failed)?.cast_signed();
        connection.execute(FIRST_EPOCH, &[&first]).await.map_err(|error| explain(&error))?;
    }
    let row = connection.query_one(READ_EPOCH, &[]).await.map_err(|error| explain(&error))?;
    row.try_get(0).map(migrations::epoch_from).map_err(|error| explain(&error))
}
