//! The second engine: transactions over two small pools of connections to one server.
//!
//! A server that is lost, stopped or cut off makes a transaction [`Error::Busy`] within the bounds of `pool`, and its connection is
//! thrown away; the next transaction makes a new one, so everything works again as soon as the server does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use futures_util::FutureExt;
use tokio::sync::{Semaphore, watch as channel};
use vital::Vital;

use crate::access::Access;
use crate::error::{Error, OpenError};
use crate::migrations::{self, Migrations};
use crate::slow::{SLOW_WAIT, slow_lanes_full};
use crate::trips::Trips;
use crate::tx::{self, Tx};
use crate::work::{Answer, Work};

mod address;
mod gate;
mod pool;
mod schema;
pub(crate) mod session;
mod timeline;
mod tls;
mod watch;

use address::Address;
use pool::{Pool, Pools};
use session::{Counted, Session};
use timeline::Timeline;
use watch::Watch;

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    pools: Pools,
    access: Access,
    timeout: Option<Duration>,
    /// Turns of slow reads.
    slow: Semaphore,
    epoch: Arc<AtomicU64>,
    /// Counts transactions. Each has a new generation, because another server may write between two of them.
    transactions: AtomicU64,
    counted: Arc<Counted>,
    foreign: channel::Sender<u64>,
    watch: Option<Watch>,
    vital: Vital,
    /// The connection that keeps servers out, with [`Access::Alone`].
    _alone: Option<Object>,
}

impl Postgres {
    /// Connects, and takes the missing steps of the schemas. `name` is the address without its password.
    pub(crate) async fn open(address: &str, name: &str, services: &[Migrations], access: Access) -> Result<Postgres, OpenError> {
        let refused = |cause: String| OpenError::Unreachable { database: name.to_owned(), cause };
        let address = Address::read(address, access).map_err(refused)?;
        let foreign = channel::Sender::new(0);
        let timeline = Timeline::new(foreign.clone());
        let pools = Pools::new(&address, access, &timeline).map_err(refused)?;
        let connection = pool::take(&pools.writes)
            .await
            .map_err(|(Error::Busy(cause) | Error::Conflict(cause) | Error::Failed(cause))| refused(cause))?;
        schema::suits(&connection).await.map_err(refused)?;
        let mut alone = None;
        if access == Access::Alone {
            let holding = pool::take(&pools.writes).await.map_err(|error| refused(error.to_string()))?;
            pool::alone(&holding).await.map_err(refused)?;
            alone = Some(holding);
        }

        let wanted = migrations::all(services);
        let taken = schema::taken(&connection).await.map_err(|error| refused(error.to_string()))?;
        migrations::refuse_newer(name, &taken, &wanted)?;
        migrations::refuse_incomplete(name, &taken, access)?;
        if access == Access::ReadOnly {
            if taken.is_empty() {
                return Err(refused("it is empty: check database.url, or start the server once to make the tables".to_owned()));
            }
            migrations::refuse_older(name, &taken, &wanted)?;
        } else {
            for schema in &wanted {
                for step in schema.steps {
                    if step.number <= migrations::highest(&taken, schema.service) {
                        continue;
                    }
                    schema::take(&connection, schema.service, step).await.map_err(|cause| OpenError::Migration {
                        service: schema.service.to_owned(),
                        number: step.number,
                        name: step.name.to_owned(),
                        cause,
                    })?;
                }
            }
        }
        let epoch = schema::epoch(&connection, access).await.map_err(|error| refused(error.to_string()))?;
        timeline.begin(&connection, epoch, access).await.map_err(refused)?;
        let epoch = Arc::clone(&timeline.epoch);
        let vital = Vital::new();
        let watch = (access == Access::Server).then(|| Watch::start(&vital, pools.reads.clone(), Arc::clone(&epoch), foreign.clone()));
        let timeout = pool::timeout(access);
        Ok(Postgres {
            pools,
            access,
            timeout,
            slow: Semaphore::new(pool::SLOW_READS),
            epoch,
            transactions: AtomicU64::new(0),
            counted: Arc::default(),
            foreign,
            watch,
            vital,
            _alone: alone,
        })
    }

    pub(crate) async fn read(&self, work: Work) -> Result<Answer, Error> {
        self.transact(&self.pools.reads, BEGIN_READ, work).await
    }

    /// The same in a turn of its own, so that connections are left for quick reads.
    pub(crate) async fn read_slowly(&self, work: Work) -> Result<Answer, Error> {
        let turn = tokio::time::timeout(SLOW_WAIT, self.slow.acquire()).await;
        let _turn = turn.map_err(|_| slow_lanes_full())?.map_err(|_| slow_lanes_full())?;
        self.read(work).await
    }

    pub(crate) async fn write(&self, work: Work) -> Result<Answer, Error> {
        if self.access == Access::ReadOnly {
            return Err(Error::read_only());
        }
        let started = Instant::now();
        let answer = self.transact(&self.pools.writes, BEGIN_WRITE, work).await?;
        metrics::histogram!("guild_commit_seconds").record(started.elapsed());
        Ok(answer)
    }

    /// Begins, works, and commits or undoes. The transaction's first error is the answer, whatever the work answers.
    async fn transact(&self, pool: &Pool, begin: &'static str, work: Work) -> Result<Answer, Error> {
        let reading = begin == BEGIN_READ;
        let session = Session::new(pool::take(pool).await?, begin, reading, self.timeout, Arc::clone(&self.counted));
        let mut tx = Tx::new(tx::Session::Postgres(session));
        tx.generation = self.transactions.fetch_add(1, Ordering::Relaxed);
        // After a panic the connection goes with `tx`, and the server undoes the transaction.
        let outcome =
            AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind().await.unwrap_or_else(|panic| Err(tx::panicked(panic.as_ref())));
        let mut outcome = outcome.and_then(|answer| tx.failed.clone().map_or(Ok(answer), Err));
        if outcome.is_ok() && !reading && self.access == Access::Tool {
            let counted = tx.execute(watch::COUNT, &[]).await;
            outcome = outcome.and_then(|answer| counted.map(|_| answer));
        }
        let tx::Session::Postgres(session) = tx.session else {
            return Err(Error::Failed("a SQLite transaction on a PostgreSQL connection".to_owned()));
        };
        match outcome {
            Ok(answer) => session.commit().await.map(|()| answer),
            Err(error) => {
                if let Err(rollback) = session.roll_back().await {
                    tracing::warn!(error = %rollback, "a failed transaction's connection was given up");
                }
                Err(error)
            }
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn vital(&self) -> Vital {
        self.vital.clone()
    }

    pub(crate) fn statements(&self) -> u64 {
        self.counted.statements.load(Ordering::Relaxed)
    }

    pub(crate) fn trips(&self) -> Trips {
        Trips { reads: self.counted.reads.load(Ordering::Relaxed), writes: self.counted.writes.load(Ordering::Relaxed) }
    }

    pub(crate) fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    pub(crate) fn foreign_writes(&self) -> channel::Receiver<u64> {
        self.foreign.subscribe()
    }

    pub(crate) fn close(&self) {
        if let Some(watch) = &self.watch {
            watch.end();
        }
        self.pools.close();
    }
}
