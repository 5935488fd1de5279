//! What can be tuned, and what each number defaults to.

use std::time::Duration;

use engineioxide::config::EngineIoConfig;

/// Tuning of a [`Server`](crate::Server). Build it with `Config { path: …, ..Config::default() }`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server is mounted, without a slash at the end. Default: `/socket.io`, the path of the stock clients.
    pub path: String,
    /// How often the server pings. Default: 25 s, Engine.IO's own.
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered before the connection is closed. Default: 20 s, Engine.IO's own.
    pub ping_timeout: Duration,
    /// Bytes of the largest websocket frame or polling body that a client may send; a bigger one closes that connection. Default:
    /// 128 KiB.
    pub max_payload: usize,
    /// Packets that a connection may be behind before a send is refused as full. Default: 4096, room for a burst of small events.
    pub queue: usize,
    /// Bytes that a client may leave untaken for a second or two before the connection is cut. Default: 1 MiB.
    pub max_behind: usize,
    /// Bytes that may wait for a connection at all before a send is refused as full. It bounds memory; it has to have room for a burst
    /// that comes at once, which even a client that reads all the time cannot have taken yet. Default: 8 MiB.
    pub max_burst: usize,
    /// How long a byte may wait for a client to take it before the connection is cut. Default: 30 s.
    pub max_lag: Duration,
    /// How long a connection may stay without being connected to `/`, including the time that [`Handler::connect`] takes. Default:
    /// 30 s.
    ///
    /// [`Handler::connect`]: crate::Handler::connect
    pub connect_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            path: "/socket.io".to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 128 * 1024,
            queue: 4096,
            max_behind: 1024 * 1024,
            max_burst: 8 * 1024 * 1024,
            max_lag: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
        }
    }
}

/// The engine's own bound for polling, which must never be met. The engine keeps a packet that no longer fits into a polling answer
/// for the next one, and loses it when the client upgrades to a websocket in between (engineioxide 0.17.9, `forward_to_socket`
/// ignores `peeked_packet`). An answer is bounded by `max_burst` instead, a polling body by `http.rs`. It is 2^31 - 1 because
/// clients that open with a websocket are told it, and some keep it in 32 bits.
pub(crate) const ENGINE_MAX_PAYLOAD: u64 = i32::MAX as u64;

/// The websocket's read buffer, which every connection keeps. Bytes; a chat's packets are a few hundred.
const READ_BUFFER: usize = 2048;

impl Config {
    /// The path with a slash at its start and none at its end; empty for the root.
    pub(crate) fn mount(&self) -> String {
        match self.path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        }
    }

    /// The same as the engine wants it. The path is `/`, which the engine reads as "any", because the router has chosen already.
    pub(crate) fn engine(&self) -> EngineIoConfig {
        EngineIoConfig::builder()
            .req_path("/")
            .ping_interval(self.ping_interval)
            .ping_timeout(self.ping_timeout)
            .max_buffer_size(self.queue.max(1))
            .max_payload(ENGINE_MAX_PAYLOAD)
            .ws_read_buffer_size(READ_BUFFER)
            .ws_max_message_size(self.max_payload)
            .ws_max_frame_size(self.max_payload)
            .build()
    }
}
