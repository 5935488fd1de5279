//! What the user of this crate writes, and what it is given.

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::BoxFuture;
use http::request::Parts;
use serde_json::Value;

use crate::{Conn, Incoming, TransportGuard};

/// What a server does with its connections.
///
/// For one connection the calls never overlap and come in this order: `connect`; if it answered `Ok`, then `connected`, each `event`
/// in the order in which the client sent them, and `disconnected`, after which nothing comes. Different connections call at the same
/// time. `connected`, `event` and `disconnected` run on the connection's reader and must not block; they may send and close.
pub trait Handler: Send + Sync + 'static {
    /// A client asks for a transport, which costs memory whether it ever connects to `/` or not. Everybody gets one by default.
    ///
    /// # Errors
    /// What the client is answered instead.
    fn open(&self, _request: &Parts) -> Result<TransportGuard, Box<Response>> {
        Ok(Box::new(()))
    }

    /// A client asks to be connected to `/`, with the `auth` object that it gave (empty if it gave none). Runs before the answer is
    /// sent; nothing can be sent to the connection meanwhile. An error refuses the client, which stays free to ask again. When the
    /// transport ends before the answer, the future is dropped where it stands, and nothing more is told of the connection.
    ///
    /// Events that come before the answer are held and handed over after it, in order: at most 64, with at most twice
    /// `max_payload` bytes; more closes the connection.
    fn connect(self: Arc<Self>, conn: Arc<Conn>, auth: Value) -> BoxFuture<'static, Result<(), ConnectError>>;

    /// The client is connected: the answer is queued, and what is sent from now on follows it.
    fn connected(&self, conn: &Arc<Conn>);

    /// One event, in the order of arrival.
    fn event(&self, conn: &Arc<Conn>, event: Incoming);

    /// The connection is over; called once for every connection for which `connect` answered `Ok`, even if it closed before
    /// `connected` could run. The reason is one of the reference server's (`client namespace disconnect`, `transport close`,
    /// `transport error`, `ping timeout`, `parse error`, `server shutting down`), one of this server's (`server abort`,
    /// `slow client`, `connect timeout`, `protocol error`, `payload too large`), or what was given to [`Conn::close`].
    fn disconnected(&self, conn: &Arc<Conn>, reason: &'static str);
}

/// Why a client is not connected: what its `connect_error` gets.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectError {
    /// For people; the client's `error.message`.
    pub message: String,
    /// For programs; the client's `error.data`. Left out if null.
    pub data: Value,
}
