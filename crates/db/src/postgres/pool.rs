//! Two small pools of connections, so that writes never wait behind reads.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime, TimeoutType};
use tokio::time::Instant;
use tokio_postgres::SimpleQueryMessage;

use super::address::{Address, CONNECTING};
use super::gate::Gate;
use super::session::{describe, unavailable};
use super::timeline::Timeline;
use crate::access::Access;
use crate::error::Error;

/// Connections for transactions that write: one for each of the log's four partitions, which may all wait for another server's commits,
/// and as many for everything else.
const WRITES: usize = 8;

/// Connections for transactions that read: those are short, and a server's cores are busy with fewer. With [`WRITES`] it makes 16 an
/// instance, so PostgreSQL's 100 are enough for six.
const READS: usize = 8;

/// Most slow reads at once. Half of the connections are left for quick reads. The work is the server's, so the cores here do not count.
pub(super) const SLOW_READS: usize = READS / 2;

/// How long a transaction waits for a connection before it is refused as busy.
const WAITING: Duration = Duration::from_secs(5);

/// A lock that every connection of a server holds shared, and `guild copy` holds alone. `GILDSRVR`.
const SERVERS: i64 = 0x4749_4c44_5352_5652;

/// `COMMIT` is answered after the sync to disk, even if the server's default is weaker; a stronger default stays. A transaction of a silent
/// client (a stopped process, a lost network) is undone after a while, so that its locks are freed.
const PREPARE: &str = "SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
    SET idle_in_transaction_session_timeout = 15000; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10";

/// The connections to one server, by their use.
pub(super) struct Pools {
    pub(super) writes: Pool,
    pub(super) reads: Pool,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    gate: Arc<Gate>,
}

impl Pools {
    pub(super) fn new(address: &Address, access: Access, timeline: &Arc<Timeline>) -> Result<Pools, String> {
        Ok(Pools { writes: pool(address, access, timeline, WRITES)?, reads: pool(address, access, timeline, READS)? })
    }

    pub(super) fn close(&self) {
        self.writes.connections.close();
        self.reads.connections.close();
    }
}

/// How long to wait for a statement's answer. A read of the whole database has no limit.
pub(super) fn timeout(access: Access) -> Option<Duration> {
    match access {
        Access::Server => Some(Duration::from_secs(10)),
        Access::Tool => Some(Duration::from_secs(60)),
        Access::Alone | Access::ReadOnly => None,
    }
}

fn pool(address: &Address, access: Access, timeline: &Arc<Timeline>, size: usize) -> Result<Pool, String> {
    let timeline = Arc::clone(timeline);
    let manager =
        Manager::from_config(address.config.clone(), address.tls.clone(), ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let connections = deadpool_postgres::Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(WAITING))
        .create_timeout(Some(CONNECTING))
        .post_create(Hook::async_fn(move |client, _| {
            let timeline = Arc::clone(&timeline);
            Box::pin(async move {
                let prepared = tokio::time::timeout(CONNECTING, prepare(client, access, &timeline)).await;
                prepared.unwrap_or_else(|_| Err("it does not answer".to_owned())).map_err(HookError::message)
            })
        }))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(Pool { connections, gate: Arc::default() })
}

/// Makes a new connection ready for transactions.
async fn prepare(client: &tokio_postgres::Client, access: Access, timeline: &Timeline) -> Result<(), String> {
    // Past the client's own timeout, so that the server ends a statement that no client waits for.
    let limit = timeout(access).map_or(0, |timeout| timeout.as_millis() + 5_000);
    let shared = if access == Access::Server { format!("; SELECT pg_try_advisory_lock_shared({SERVERS})") } else { String::new() };
    let said =
        client.simple_query(&format!("{PREPARE}; SET statement_timeout = {limit}{shared}")).await.map_err(|error| describe(&error))?;
    let refused = access == Access::Server && last(&said) != Some("t");
    if refused {
        return Err("guild copy replaces or reads all of it at the moment: start again when that is done".to_owned());
    }
    // A read-only program may use a standby.
    if access == Access::ReadOnly { Ok(()) } else { timeline.meet(client).await }
}

/// Takes the database for this process alone, until this connection ends.
pub(super) async fn alone(connection: &Object) -> Result<(), String> {
    // A server that has just ended may still be known for a moment.
    for turn in 0..20 {
        if turn > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let said = connection.simple_query(&format!("SELECT pg_try_advisory_lock({SERVERS})")).await.map_err(|error| describe(&error))?;
        if last(&said) == Some("t") {
            return Ok(());
        }
    }
    Err("it is in use by a guild server or another guild copy: stop all of them first".to_owned())
}

fn last(said: &[SimpleQueryMessage]) -> Option<&str> {
    said.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

/// Takes a connection out of a pool. After refusals, one caller tries again for all, after the [`Gate`]'s pause. The others wait for it and
/// share a refusal.
pub(super) async fn take(pool: &Pool) -> Result<Object, Error> {
    let Some(known) = pool.gate.shut().filter(|_| pool.connections.status().available == 0) else {
        return ask(pool).await;
    };
    let _turn = pool.gate.turn.lock().await;
    if let Some(shut) = pool.gate.shut() {
        if shut.refusals > known.refusals {
            return Err(Error::Busy(shut.cause));
        }
        tokio::time::sleep_until(shut.until).await;
    }
    ask(pool).await
}

async fn ask(pool: &Pool) -> Result<Object, Error> {
    let connection = pool.connections.get().await;
    match &connection {
        Ok(_) => pool.gate.given(),
        // The server was not asked.
        Err(PoolError::Timeout(TimeoutType::Wait) | PoolError::Closed) => {}
        Err(error) => pool.gate.refused(Instant::now(), unavailable(error)),
    }
    connection.map_err(|error| Error::Busy(unavailable(&error)))
}
