//! A thin Socket.IO layer (protocol 5, the clients 3 and 4) for servers that fan out.
//!
//! It turns what the `engineioxide` crate carries (websocket, long polling, the upgrade from one to the other, heartbeats) into
//! calls of one [`Handler`], synchronously and in the order in which a client sent them, and sends [`Frame`]s that are encoded once
//! for any number of receivers. Each connection may be behind by a bounded number of packets, bytes and seconds.
//!
//! It may not know what is said over it: no chat, no users, no tokens; only the namespace `/`, no rooms. It never asks a client for
//! an acknowledgement and never sends binary. Nothing that a client sends reaches another connection or panics.
//!
//! Read [`Handler`] for what a user of this crate writes, [`Server`] for how it is mounted, [`Conn`] for what can be done with a
//! connection. The packets are in `packet.rs`, the life of a connection in `protocol.rs`, how far a client is behind in `backpressure.rs`.

mod backpressure;
mod config;
mod conn;
mod connection_table;
mod deadlines;
mod frame;
mod handler;
mod http;
mod incoming;
mod link;
mod packet;
mod protocol;
mod reader;
mod server;
mod slow_client;
mod websocket_transport;

pub use config::Config;
pub use conn::{Conn, SendError};
pub use frame::Frame;
pub use futures_util::future::BoxFuture;
pub use handler::{ConnectError, Handler};
pub use incoming::{Ack, Incoming};
pub use link::TransportGuard;
pub use server::Server;
