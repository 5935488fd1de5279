//! All connections of one server.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engineioxide::socket::Sid;
use tokio::{sync::Notify, time::Instant};

use crate::{
    Config, Handler,
    link::{Attached, EngineSocket, GRACE, Link},
    sweep,
};

/// What one server's connections share.
pub(crate) struct Hub {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) config: Config,
    links: Mutex<HashMap<Sid, Arc<Link>>>,
    closing: AtomicBool,
    /// Told when a connection has gone.
    gone: Notify,
    sweeping: Once,
}

impl Hub {
    pub(crate) fn new(config: Config, handler: Arc<dyn Handler>) -> Self {
        Hub { handler, config, links: Mutex::default(), closing: AtomicBool::new(false), gone: Notify::new(), sweeping: Once::new() }
    }

    /// Takes a new engine connection in.
    pub(crate) fn register(self: &Arc<Self>, socket: &Arc<EngineSocket>) {
        let link = match socket.req_parts.extensions.get::<Attached>() {
            Some(Attached(link)) => Arc::clone(link),
            // No request that opens one comes without; a place could not be refused here any more.
            None => Arc::new(Link::new(&self.config, Box::new(()))),
        };
        link.attach(socket);
        // Set once: the engine announces a socket once.
        let _ = socket.data.0.set(Arc::clone(&link));
        self.lock().insert(socket.id, Arc::clone(&link));
        self.sweeping.call_once(|| drop(tokio::spawn(sweep::run(Arc::downgrade(self)))));
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

    /// Closes every connection and waits until they have gone. Clients are not told that they are disconnected from `/`, only that
    /// the transport closes, so that stock clients reconnect, to the next server.
    pub(crate) async fn close(&self) {
        /// How often the stragglers are looked at.
        const LOOK: Duration = Duration::from_millis(50);
        self.closing.store(true, Ordering::Release);
        for link in self.links() {
            link.hang_up("server shutting down");
        }
        // An abort needs a moment to come through; nothing is waited for longer.
        let deadline = Instant::now() + GRACE + Duration::from_secs(1);
        while Instant::now() < deadline {
            let gone = self.gone.notified();
            let links = self.links();
            if links.is_empty() {
                return;
            }
            for link in links {
                sweep::check(&link, Instant::now(), &self.config);
            }
            // Out of time only means that it is time to look again.
            let _ = tokio::time::timeout(LOOK, gone).await;
        }
        let left = self.links().len();
        if left > 0 {
            tracing::warn!(left, "some connections did not close in time");
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("connections", &self.lock().len()).finish_non_exhaustive()
    }
}
