//! One engine connection, whatever its transport: what its reader, its writer, the sweep and its [`Conn`](crate::Conn)s share.

use std::{
    any::Any,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engineioxide::{DisconnectReason, Socket, Str, TransportType};
use tokio::{runtime::Handle, sync::mpsc::error::TrySendError, time::Instant};

use crate::{Config, SendError, backpressure::Backpressure, reader::Reader, slow_client::SlowClientDetector};

/// What [`Handler::open`](crate::Handler::open) gives for a transport; dropped when the transport has ended.
pub type TransportGuard = Box<dyn Any + Send + Sync>;

/// The engine's own connection, which carries ours.
pub(crate) type EngineSocket = Socket<LinkCell>;

/// Where an engine socket keeps its link; filled before its first packet.
#[derive(Debug, Default)]
pub(crate) struct LinkCell(pub(crate) OnceLock<Arc<Link>>);

/// Carries a link, which is made before its engine socket, through the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Attached(pub(crate) Arc<Link>);

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) backpressure: Backpressure,
    reader: Mutex<Reader>,
    deadlines: Mutex<Deadlines>,
    closed: AtomicBool,
    reason: OnceLock<&'static str>,
    /// Weak, because the socket holds the link.
    socket: OnceLock<Weak<EngineSocket>>,
    /// Closing a socket spawns a task, and a handler may close it from a thread outside the runtime.
    runtime: Handle,
    max_burst: usize,
    /// Dropped when the session has ended.
    guard: Mutex<Option<TransportGuard>>,
    /// Whether a polling body is being taken.
    posting: AtomicBool,
    /// Whether a websocket has come to replace polling.
    upgrading: AtomicBool,
}

/// The right to do what only one request of a session may do at a time, until this is dropped.
#[derive(Debug)]
pub(crate) struct PostGuard<'a>(&'a AtomicBool);

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What the sweep looks at; see `deadlines.rs`.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// Since when the client is not connected to `/`.
    pub(crate) unconnected_since: Option<Instant>,
    /// Since when the connection is closing.
    pub(crate) closing_since: Option<Instant>,
    pub(crate) slow_client: SlowClientDetector,
}

impl Link {
    /// A link without a socket yet; call it within the runtime.
    pub(crate) fn new(config: &Config, guard: TransportGuard) -> Self {
        let now = Instant::now();
        let deadlines = Deadlines { unconnected_since: Some(now), closing_since: None, slow_client: SlowClientDetector::new(now) };
        Link {
            backpressure: Backpressure::default(),
            reader: Mutex::default(),
            deadlines: Mutex::new(deadlines),
            closed: AtomicBool::new(false),
            reason: OnceLock::new(),
            socket: OnceLock::new(),
            runtime: Handle::current(),
            max_burst: config.max_burst,
            guard: Mutex::new(Some(guard)),
            posting: AtomicBool::new(false),
            upgrading: AtomicBool::new(false),
        }
    }

    /// The right to post a polling body; `None` while another one is being taken, which no client does.
    pub(crate) fn begin_post(&self) -> Option<PostGuard<'_>> {
        (!self.posting.swap(true, Ordering::AcqRel)).then_some(PostGuard(&self.posting))
    }

    /// Whether this websocket may upgrade the session: the first one that asks may. Each further one would cost a connection that nobody counts.
    pub(crate) fn begin_upgrade(&self) -> bool {
        self.is_polling() && !self.upgrading.swap(true, Ordering::AcqRel)
    }

    /// The websocket never came.
    pub(crate) fn no_upgrade(&self) {
        self.upgrading.store(false, Ordering::Release);
    }

    /// Waits until the connection closes, whichever side closes it.
    pub(crate) async fn over(&self) {
        loop {
            let mut moved = pin!(self.backpressure.moved());
            moved.as_mut().enable();
            if self.is_closed() {
                return;
            }
            moved.await;
        }
    }

    pub(crate) fn attach(&self, socket: &Arc<EngineSocket>) {
        // Set once: a link is made for one socket.
        let _ = self.socket.set(Arc::downgrade(socket));
    }

    /// Its holder handles a packet of the client. [`Link::send`] and the closes never take it, because handlers call them from within.
    pub(crate) fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn deadlines(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Why the connection closed, if this side closed it.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        self.reason.get().copied()
    }

    /// Bytes that may be queued before a send is refused.
    pub(crate) fn free(&self) -> usize {
        self.max_burst.saturating_sub(self.backpressure.behind())
    }

    /// Queues a packet, if not too much waits already. A packet that alone is over the bound passes when nothing waits.
    pub(crate) fn send(&self, socket: &EngineSocket, packet: Str) -> Result<(), SendError> {
        let behind = self.backpressure.behind();
        if behind > 0 && behind.saturating_add(packet.len()) > self.max_burst {
            return Err(SendError::Full);
        }
        self.queue(socket, packet)
    }

    /// Queues a packet however much waits, if the engine's queue has room.
    pub(crate) fn queue(&self, socket: &EngineSocket, packet: Str) -> Result<(), SendError> {
        let bytes = on_the_wire(packet.len(), socket.transport_type());
        self.backpressure.accept(bytes);
        socket.emit(packet).map_err(|refused| {
            self.backpressure.take_back(bytes);
            match refused {
                TrySendError::Full(_) => SendError::Full,
                TrySendError::Closed(_) => SendError::Closed,
            }
        })
    }

    /// Closes after what is queued has been flushed. A websocket's writer sees to that itself; for polling the sweep waits until the
    /// client has fetched it, or for a grace period.
    pub(crate) fn close(&self, reason: &'static str) {
        if self.start_closing(reason) && !self.is_polling() {
            self.end();
        }
    }

    /// Closes after what is queued has been flushed, like a network that breaks: without the engine's CLOSE, after which some clients
    /// (python-engineio) stay away. A websocket's reader sees the end then. Polling ends as in [`Link::close`], and `http.rs` takes the CLOSE
    /// out of the answer.
    pub(crate) fn hang_up(&self, reason: &'static str) {
        if self.start_closing(reason) {
            self.backpressure.hang_up();
        }
    }

    /// Closes at once; what is queued is dropped.
    pub(crate) fn abort(&self, reason: &'static str) {
        self.start_closing(reason);
        self.backpressure.stop();
        self.end();
    }

    /// The engine's session has ended; answers why, which is this side's reason if it has one.
    pub(crate) fn ended(&self, reason: &'static str) -> &'static str {
        self.closed.store(true, Ordering::Release);
        self.backpressure.wake();
        drop(self.guard.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.reason.get_or_init(|| reason)
    }

    /// Answers whether it was this call that began to close.
    fn start_closing(&self, reason: &'static str) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        let _ = self.reason.set(reason);
        self.deadlines().closing_since = Some(Instant::now());
        self.backpressure.wake();
        true
    }

    pub(crate) fn is_polling(&self) -> bool {
        self.socket().is_some_and(|socket| socket.transport_type() == TransportType::Polling)
    }

    pub(crate) fn socket(&self) -> Option<Arc<EngineSocket>> {
        self.socket.get().and_then(Weak::upgrade)
    }

    /// Ends the engine's session; nothing happens if it has ended.
    pub(crate) fn end(&self) {
        if let Some(socket) = self.socket() {
            let _runtime = self.runtime.enter();
            socket.close(DisconnectReason::TransportError);
        }
    }
}

/// Bytes that will be written for a packet, at least: the engine's type, and a websocket's header (without a mask: a server sends none).
/// Polling's separator is not counted, because the first packet has none.
fn on_the_wire(len: usize, transport: TransportType) -> u64 {
    let header = match (transport, len + 1) {
        (TransportType::Polling, _) => 0,
        (_, ..126) => 2,
        (_, ..65_536) => 4,
        _ => 10,
    };
    (len + 1 + header) as u64
}

/// How long a closing connection may take to fetch what is queued for it.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
