//! All connections of one server, and the one task that looks at their deadlines, instead of a timer each.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, Once, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engineioxide::socket::Sid;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    Config, Handler, deadlines,
    link::{Attached, EngineSocket, GRACE, Link},
};

/// What one server's connections share.
pub(crate) struct ConnectionTable {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) config: Config,
    links: Mutex<HashMap<Sid, Arc<Link>>>,
    closing: AtomicBool,
    /// Told when a connection has gone.
    gone: Notify,
    sweeping: Once,
}

impl ConnectionTable {
    pub(crate) fn new(config: Config, handler: Arc<dyn Handler>) -> Self {
        ConnectionTable {
            handler,
            config,
            links: Mutex::default(),
            closing: AtomicBool::new(false),
            gone: Notify::new(),
            sweeping: Once::new(),
        }
    }

    /// Adds a new engine connection.
    pub(crate) fn register(self: &Arc<Self>, socket: &Arc<EngineSocket>) {
        let link = match socket.req_parts.extensions.get::<Attached>() {
            Some(Attached(link)) => Arc::clone(link),
            // Every request that opens a connection carries one; here it is too late to refuse a transport.
            None => Arc::new(Link::new(&self.config, Box::new(()))),
        };
        link.attach(socket);
        // Set once: the engine announces a socket once.
        let _ = socket.data.0.set(Arc::clone(&link));
        self.lock().insert(socket.id, Arc::clone(&link));
        self.sweeping.call_once(|| drop(tokio::spawn(sweep(Arc::downgrade(self)))));
        if self.is_closing() {
            link.hang_up("server shutting down");
        }
    }

    pub(crate) fn forget(&self, id: Sid) {
        self.lock().remove(&id);
        self.gone.notify_waiters();
    }

    pub(crate) fn find(&self, id: Sid) -> Option<Arc<Link>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Sid, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every connection and waits until they have gone. Clients are told only that the transport closes, and not that they are
    /// disconnected from `/`, so that stock clients reconnect, to the next server.
    pub(crate) async fn close(&self) {
        /// How often the remaining connections are looked at.
        const LOOK: Duration = Duration::from_millis(50);
        self.closing.store(true, Ordering::Release);
        for link in self.links() {
            link.hang_up("server shutting down");
        }
        // After the grace, an abort needs a moment to take effect.
        let deadline = Instant::now() + GRACE + Duration::from_secs(1);
        while Instant::now() < deadline {
            let gone = self.gone.notified();
            let links = self.links();
            if links.is_empty() {
                return;
            }
            for link in links {
                deadlines::check(&link, Instant::now(), &self.config);
            }
            // A timeout only means that it is time to look again.
            let _ = tokio::time::timeout(LOOK, gone).await;
        }
        let left = self.links().len();
        if left > 0 {
            tracing::warn!(left, "some connections did not close in time");
        }
    }
}

/// Looks at every connection's deadlines again and again, as long as there is a server.
async fn sweep(table: Weak<ConnectionTable>) {
    let Some(period) = table.upgrade().map(|table| deadlines::period(&table.config)) else {
        return;
    };
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(table) = table.upgrade() else {
            return;
        };
        let now = Instant::now();
        for link in table.links() {
            // A panic over one connection must not end the task that looks after all the others.
            if catch_unwind(AssertUnwindSafe(|| deadlines::check(&link, now, &table.config))).is_err() {
                tracing::error!("a connection's deadlines could not be looked at because of a panic");
            }
        }
    }
}

impl fmt::Debug for ConnectionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionTable").field("connections", &self.lock().len()).finish_non_exhaustive()
    }
}
