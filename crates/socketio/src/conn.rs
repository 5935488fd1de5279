//! A client that is connected to `/`, as handlers see it.

use std::{
    any::Any,
    fmt,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use axum::extract::ConnectInfo;
use engineioxide::{Str, socket::Sid};
use http::request::Parts;
use serde::Serialize;

use crate::{
    Ack, Frame,
    link::{EngineSocket, Link},
    packet,
};

/// One client's connection to `/`, from its CONNECT to its end. A client that disconnects from `/` and connects again over the same
/// transport is another `Conn`.
///
/// All methods may be called from any thread, from within a [`Handler`](crate::Handler)'s methods too, and none blocks.
pub struct Conn {
    id: Sid,
    link: Arc<Link>,
    socket: Arc<EngineSocket>,
    status: AtomicU8,
    state: OnceLock<Arc<dyn Any + Send + Sync>>,
}

const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

/// Why a packet was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The client is too far behind, in packets or in bytes. It misses this packet, so a server that promises completeness must
    /// [`abort`](Conn::abort) it.
    Full,
    /// The connection is over, or [`Handler::connect`](crate::Handler::connect) has not answered yet.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Full => "the client is too far behind",
            SendError::Closed => "the connection is closed",
        })
    }
}

impl std::error::Error for SendError {}

impl Conn {
    pub(crate) fn new(link: Arc<Link>, socket: Arc<EngineSocket>) -> Self {
        Conn { id: Sid::new(), link, socket, status: AtomicU8::new(CONNECTING), state: OnceLock::new() }
    }

    /// The Socket.IO id (the client's `socket.id`): 16 characters with 96 random bits. Not the Engine.IO session's, which is a secret.
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// What is kept of the request that opened the transport: what layers have put into its extensions. Its headers and its URI are not:
    /// the buffer that they were read into would be kept with them. [`Handler::open`](crate::Handler::open) sees them.
    pub fn req_parts(&self) -> &Parts {
        &self.socket.req_parts
    }

    /// The peer's address, if the router is served with `into_make_service_with_connect_info::<SocketAddr>()`. Behind a proxy, the
    /// proxy's.
    pub fn peer(&self) -> Option<SocketAddr> {
        let info = self.req_parts().extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(info.0)
    }

    /// Attaches the handler's own state, once. Answers false, and keeps the first, if there is one already.
    pub fn set_state<T: Any + Send + Sync>(&self, state: Arc<T>) -> bool {
        self.state.set(state).is_ok()
    }

    /// The state that was attached, if it is a `T`.
    pub fn state<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.state.get()?.clone().downcast().ok()
    }

    /// Queues an event. Costs a clone of shared bytes.
    ///
    /// # Errors
    /// [`SendError`] says which.
    pub fn send(&self, frame: &Frame) -> Result<(), SendError> {
        self.emit(frame.packet())
    }

    /// Answers an event that asked for it.
    ///
    /// # Errors
    /// [`SendError`] says which. A reply that has no JSON form is logged and counts as `Closed`: the client gets no answer.
    pub fn ack<T: Serialize + ?Sized>(&self, ack: Ack, reply: &T) -> Result<(), SendError> {
        match serde_json::to_string(reply) {
            Ok(json) => self.emit(Str::from(packet::ack(ack.0, &json))),
            Err(error) => {
                tracing::error!(%error, conn = self.id(), "an acknowledgement has no JSON form; the client gets none");
                Err(SendError::Closed)
            }
        }
    }

    fn emit(&self, packet: Str) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        self.link.send(&self.socket, packet)
    }

    /// Tells the client that it is disconnected from `/`, then closes the transport once what is queued has been flushed (for a
    /// polling client: fetched), at most 3 s later. A stock client that is told so does not reconnect by itself. `reason` is for
    /// [`Handler::disconnected`](crate::Handler::disconnected), which comes when the transport has closed, never from within this
    /// call.
    pub fn close(&self, reason: &'static str) {
        match self.status.swap(CLOSED, Ordering::AcqRel) {
            CLOSED => return,
            OPEN => {
                // Without room for it the client sees the transport close, which says enough.
                let _ = self.link.queue(&self.socket, Str::from(packet::DISCONNECT));
            }
            _ => {}
        }
        self.link.close(reason);
    }

    /// Closes the transport once what is queued has been flushed, at most 3 s later, without a word about it, not even Engine.IO's CLOSE,
    /// so that a stock client takes it for a dropped line and reconnects by itself. Otherwise like [`close`](Conn::close).
    pub fn hang_up(&self, reason: &'static str) {
        if self.status.swap(CLOSED, Ordering::AcqRel) != CLOSED {
            self.link.hang_up(reason);
        }
    }

    /// Closes the transport at once and drops what is queued: for a client that does not keep up. A stock client reconnects by
    /// itself. [`Handler::disconnected`](crate::Handler::disconnected) comes soon, with `server abort`.
    pub fn abort(&self) {
        if self.status.swap(CLOSED, Ordering::AcqRel) != CLOSED {
            self.link.abort("server abort");
        }
    }

    /// Bytes that were accepted for this client and that the network (for a polling client: an answer to it) has not taken yet, the
    /// transport's headers included. What the kernel holds does not count.
    pub fn behind(&self) -> usize {
        self.link.backpressure.behind()
    }

    /// Bytes that can still be queued before [`Conn::send`] answers [`SendError::Full`]; small packets can meet the bound in packets
    /// earlier.
    pub fn free(&self) -> usize {
        self.link.free()
    }

    /// Waits until at most `bytes` are [`behind`](Conn::behind): true; or until the connection is over: false. For sending much at
    /// the pace at which the client takes it.
    pub async fn drained(&self, bytes: usize) -> bool {
        loop {
            let mut moved = pin!(self.link.backpressure.moved());
            moved.as_mut().enable();
            if !self.is_open() {
                return false;
            }
            if self.behind() <= bytes {
                return true;
            }
            moved.await;
        }
    }

    /// Waits until the connection is over, whichever side ended it. Long work for a connection should stop then, so that nothing of it outlives
    /// the connection.
    pub async fn over(&self) {
        loop {
            let mut moved = pin!(self.link.backpressure.moved());
            moved.as_mut().enable();
            if self.is_over() {
                return;
            }
            moved.await;
        }
    }

    fn is_over(&self) -> bool {
        self.status.load(Ordering::Acquire) == CLOSED || self.link.is_closed()
    }

    /// Whether the client is connected: sends are possible, and events are handed over.
    pub fn is_open(&self) -> bool {
        self.status.load(Ordering::Acquire) == OPEN && !self.link.is_closed()
    }

    /// Moves from connecting to open; false if the connection was closed meanwhile.
    pub(crate) fn open(&self) -> bool {
        self.status.compare_exchange(CONNECTING, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok() && self.is_open()
    }

    /// The client's part is over, whatever becomes of the transport.
    pub(crate) fn end(&self) {
        self.status.store(CLOSED, Ordering::Release);
        self.link.backpressure.wake();
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("id", &self.id()).finish()
    }
}
