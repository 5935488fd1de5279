//! One engine connection, whatever its transport: what is shared between its reader, its writer, the sweep and its [`Conn`](crate::Conn)s.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engineioxide::{DisconnectReason, Socket, Str, TransportType};
use tokio::{runtime::Handle, sync::mpsc::error::TrySendError, time::Instant};

use crate::{Config, Place, SendError, flow::Flow, reader::Reader};

/// The engine's idea of a connection, which carries ours.
pub(crate) type EngineSocket = Socket<Slot>;

/// Where an engine socket keeps its link; filled before its first packet.
#[derive(Debug, Default)]
pub(crate) struct Slot(pub(crate) OnceLock<Arc<Link>>);

/// Carries a link, which is made before its engine socket, through the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Attached(pub(crate) Arc<Link>);

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) flow: Flow,
    reader: Mutex<Reader>,
    watch: Mutex<Watch>,
    closed: AtomicBool,
    reason: OnceLock<&'static str>,
    /// Weak, because the socket holds the link.
    socket: OnceLock<Weak<EngineSocket>>,
    /// Closing a socket spawns, and a handler may close from a thread that is none of the runtime's.
    runtime: Handle,
    max_burst: usize,
    /// Given back when the session has ended.
    place: Mutex<Option<Place>>,
    /// Whether a polling body is being taken.
    posting: AtomicBool,
    /// Whether a websocket is there that is to take the place of polling.
    upgrading: AtomicBool,
}

/// What only one request of a session may do at a time, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What the sweep looks at.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Since when the connection is not connected to `/`.
    pub(crate) waiting: Option<Instant>,
    /// Since when it is closing.
    pub(crate) closing: Option<Instant>,
    /// What had been accepted and written at a moment, to see later whether it has left.
    pub(crate) mark: Option<Mark>,
    /// What had been accepted at the last look at what is left untaken.
    pub(crate) look: Look,
}

/// See [`Watch::look`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) at: Instant,
    pub(crate) accepted: u64,
}

/// See [`Watch::mark`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) accepted: u64,
    pub(crate) written: u64,
}

impl Link {
    /// A link without a socket yet; call it within the runtime.
    pub(crate) fn new(config: &Config, place: Place) -> Self {
        let now = Instant::now();
        let watch = Watch { waiting: Some(now), closing: None, mark: None, look: Look { at: now, accepted: 0 } };
        Link {
            flow: Flow::default(),
            reader: Mutex::default(),
            watch: Mutex::new(watch),
            closed: AtomicBool::new(false),
            reason: OnceLock::new(),
            socket: OnceLock::new(),
            runtime: Handle::current(),
            max_burst: config.max_burst,
            place: Mutex::new(Some(place)),
            posting: AtomicBool::new(false),
            upgrading: AtomicBool::new(false),
        }
    }

    /// The right to post a polling body; `None` while another one is being taken, which no client does.
    pub(crate) fn begin_post(&self) -> Option<Turn<'_>> {
        (!self.posting.swap(true, Ordering::AcqRel)).then_some(Turn(&self.posting))
    }

    /// Whether this websocket may upgrade the session: the first one that asks. The others would cost a line each that no place is counted for.
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
            let mut moved = pin!(self.flow.moved());
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

    /// Whoever holds it is the one who speaks for the client. Never taken by [`Link::send`] or a close, which handlers call from
    /// within.
    pub(crate) fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.max_burst.saturating_sub(self.flow.behind())
    }

    /// Queues a packet, if not too much waits already. A packet that alone is over the bound passes when nothing waits.
    pub(crate) fn send(&self, socket: &EngineSocket, packet: Str) -> Result<(), SendError> {
        let behind = self.flow.behind();
        if behind > 0 && behind.saturating_add(packet.len()) > self.max_burst {
            return Err(SendError::Full);
        }
        self.queue(socket, packet)
    }

    /// Queues a packet that is owed whatever waits, if the engine's queue has room.
    pub(crate) fn queue(&self, socket: &EngineSocket, packet: Str) -> Result<(), SendError> {
        let bytes = on_the_wire(packet.len(), socket.transport_type());
        self.flow.accept(bytes);
        socket.emit(packet).map_err(|refused| {
            self.flow.take_back(bytes);
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

    /// Closes after what is queued has been flushed, as a network would that breaks: without the engine's CLOSE, after which some clients
    /// (python-engineio) stay away. A websocket's reader sees the end then; for polling it is as in [`Link::close`], and the CLOSE is
    /// taken out of the answer (`http.rs`).
    pub(crate) fn hang_up(&self, reason: &'static str) {
        if self.start_closing(reason) {
            self.flow.hang_up();
        }
    }

    /// Closes at once; what is queued is dropped.
    pub(crate) fn abort(&self, reason: &'static str) {
        self.start_closing(reason);
        self.flow.stop();
        self.end();
    }

    /// The engine's session has ended; answers why, which is this side's reason if it has one.
    pub(crate) fn ended(&self, reason: &'static str) -> &'static str {
        self.closed.store(true, Ordering::Release);
        self.flow.wake();
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.reason.get_or_init(|| reason)
    }

    /// Tells whether it is this call that closes.
    fn start_closing(&self, reason: &'static str) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        let _ = self.reason.set(reason);
        self.watch().closing = Some(Instant::now());
        self.flow.wake();
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

/// At least so many bytes will be written for a packet: the engine's type, and a websocket's header (never a mask, a server sends
/// none). A separator of polling is not counted, because the first packet has none.
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
