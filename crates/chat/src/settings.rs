//! What can be tuned about live connections, and what each number defaults to.

use std::time::Duration;

/// How often a gateway says that it lives; a third of the lease's 15 s.
pub(crate) const LEASE_EVERY: Duration = Duration::from_secs(5);

/// Without a renewal for so long the users service counts a gateway's users as gone (see `users::RenewLease`).
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// How many events of one connection may be answered at once. A client that waits for its acknowledgements never gets near it.
pub(crate) const EVENTS_IN_FLIGHT: usize = 64;

/// How many bytes of events may wait while a connection authenticates, which takes as long as the users service does: about as much as
/// [`EVENTS_IN_FLIGHT`] messages of 8,000 characters.
pub(crate) const HELD_BYTES: usize = 512 * 1024;

/// Where a client has left so many bytes untaken, nothing is sent that may be lost: the rest of the queue is for the log.
pub(crate) const LOSABLE_BEHIND: usize = 256 * 1024;

/// Transports for each socket that an address may have: some are about to connect, or are being refused.
pub(crate) const TRANSPORTS_PER_SOCKET: usize = 2;

/// Tuning of [`crate::Chat`]. The defaults are the documented ones.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often Engine.IO pings. 25 s.
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered. 20 s.
    pub ping_timeout: Duration,
    /// Bytes of the largest frame or polling body that a client may send. 128 KiB.
    pub max_payload: usize,
    /// Packets that a client may be behind before it is cut. 4,096: small events meet this bound before the one in bytes.
    pub queue: usize,
    /// Bytes that a client may leave untaken for a second or two before it is cut. 1 MiB.
    pub max_behind: usize,
    /// Bytes that may wait for a client at all before it is cut: room for a burst that comes at once. 8 MiB.
    pub max_burst: usize,
    /// How long a byte may wait for a client to take it before the client is cut. 30 s.
    pub max_lag: Duration,
    /// How long a socket may stay unauthenticated. 30 s.
    pub authenticate_within: Duration,
    /// How long a user stays online after the last socket. 10 s.
    pub presence_linger: Duration,
    /// Sockets that one address may have at this gateway; 0 is no limit. 200.
    pub sockets_per_address: usize,
    /// The time over which clients are sent away, one after the other, when the gateway stops. 0 s: all at once.
    pub goodbyes: Duration,
    /// What `ready` says about the server.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 128 * 1024,
            queue: 4_096,
            max_behind: 1024 * 1024,
            max_burst: 8 * 1024 * 1024,
            max_lag: Duration::from_secs(30),
            authenticate_within: Duration::from_secs(30),
            presence_linger: Duration::from_secs(10),
            goodbyes: Duration::ZERO,
            sockets_per_address: 200,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Settings {
    /// The part that the transport wants.
    pub(crate) fn transport(&self) -> socketio::Config {
        socketio::Config {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            max_payload: self.max_payload,
            queue: self.queue,
            max_behind: self.max_behind,
            max_burst: self.max_burst,
            max_lag: self.max_lag,
            connect_timeout: self.authenticate_within,
            ..socketio::Config::default()
        }
    }
}
