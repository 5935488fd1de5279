//! Many client connections on one thread: websockets that speak Engine.IO 4 and Socket.IO 5, and plain HTTP/1.1.
//!
//! Written over readiness (`mio`) and not over tasks, because the generator must stay cheaper than the fastest server it measures:
//! everything that one readiness brings is read at once, every frame in it is handed on without a copy, and what is said in answer is
//! written once, at the end of the turn.

mod conn;
mod frame;
mod http;
mod packet;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use conn::{Conn, Stage};
use mio::{Events, Interest, Poll, Token};
use packet::Packet;
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

pub use packet::Heard;

/// One connection. Never used twice: a name of a connection that has ended finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    slot: usize,
    generation: u64,
}

/// Whoever hears. `client` is the number that the connection was opened for.
pub trait Hears {
    /// Called for everything that comes; may open, send and close.
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>);
}

/// All connections of this program.
pub struct Net {
    poll: Poll,
    conns: Slab<Conn>,
    /// Slots with something to write.
    dirty: Vec<usize>,
    /// Shared by all connections, because only one is read at a time.
    scratch: Vec<u8>,
    generation: u64,
    /// At least one.
    servers: Vec<SocketAddr>,
    pings: u64,
}

/// Connections of one source address: the kernel has 28,232 ports to give to each pair of addresses.
const PER_SOURCE: usize = 20_000;

impl Net {
    /// Connections to this server. Nothing is opened yet.
    ///
    /// # Errors
    /// The kernel gives no poll.
    pub fn new(server: SocketAddr) -> io::Result<Self> {
        let (conns, dirty, scratch, servers) = (Slab::new(), Vec::new(), vec![0; 256 * 1024], vec![server]);
        Ok(Self { poll: Poll::new()?, conns, dirty, scratch, generation: 0, servers, pings: 0 })
    }

    /// Connections go to these servers as well, in turns: gateways that share the users.
    pub fn share(&mut self, others: &[SocketAddr]) {
        self.servers.extend(others);
    }

    /// The (first) server's address, for a `Host` header and messages.
    pub fn server(&self) -> SocketAddr {
        self.servers.first().copied().unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// How many of the servers' heartbeats were answered.
    pub fn pings(&self) -> u64 {
        self.pings
    }

    /// Opens a websocket for `client`: it hears `Open`, or `Closed`.
    ///
    /// # Errors
    /// No socket is to be had (file descriptors).
    pub fn open_socket(&mut self, client: usize) -> io::Result<Id> {
        let hello = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.server()
        );
        self.open(client, Stage::Upgrading, hello.as_bytes())
    }

    /// Opens an HTTP connection for `client`, which hears a `Response` for each request.
    ///
    /// # Errors
    /// No socket is to be had (file descriptors).
    pub fn open_http(&mut self, client: usize) -> io::Result<Id> {
        self.open(client, Stage::Http, b"")
    }

    fn open(&mut self, client: usize, stage: Stage, hello: &[u8]) -> io::Result<Id> {
        let turn = usize::try_from(self.generation).unwrap_or(0) % self.servers.len();
        let server = self.servers.get(turn).copied().unwrap_or_else(|| self.server());
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // The first source is the kernel's own choice, at connect: it takes ports again that a connection of a second ago has left
        // (TIME_WAIT), and `bind` would not.
        let source = u8::try_from(1 + self.conns.len() / PER_SOURCE % 250).unwrap_or(1);
        if source > 1 && server.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, source), 0)).into())?;
        }
        match socket.connect(&server.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        let mut stream = mio::net::TcpStream::from_std(socket.into());
        self.generation += 1;
        let entry = self.conns.vacant_entry();
        let slot = entry.key();
        self.poll.registry().register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
        entry.insert(Conn::new(stream, client, self.generation, stage, hello));
        Ok(Id { slot, generation: self.generation })
    }

    /// Sends one Engine.IO packet as text; written at the end of the turn. Nothing happens where the connection has ended.
    pub fn send(&mut self, id: Id, text: &[u8]) {
        if let Some(conn) = self.conns.get_mut(id.slot).filter(|conn| conn.generation == id.generation) {
            frame::text(&mut conn.out, text);
            mark(&mut self.dirty, conn, id.slot);
        }
    }

    /// Sends bytes as they are (an HTTP request).
    pub fn send_raw(&mut self, id: Id, bytes: &[u8]) {
        if let Some(conn) = self.conns.get_mut(id.slot).filter(|conn| conn.generation == id.generation) {
            conn.out.extend_from_slice(bytes);
            mark(&mut self.dirty, conn, id.slot);
        }
    }

    /// Ends a connection at once, as a lost line does; its client hears nothing of it.
    pub fn cut(&mut self, id: Id) {
        if self.conns.get(id.slot).is_some_and(|conn| conn.generation == id.generation) {
            self.conns.remove(id.slot);
        }
    }

    /// Ends all of them, unheard.
    pub fn cut_all(&mut self) {
        self.conns.clear();
        self.dirty.clear();
    }

    /// Waits up to `wait` for something to come, hands all of it on, and writes what was said meanwhile.
    ///
    /// # Errors
    /// The kernel's poll fails.
    pub fn turn(&mut self, hears: &mut impl Hears, events: &mut Events, wait: Duration) -> io::Result<()> {
        self.flush(hears);
        if let Err(error) = self.poll.poll(events, Some(wait)) {
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        for event in &*events {
            let slot = event.token().0;
            if event.is_readable() || event.is_error() {
                self.read(hears, slot, event.is_read_closed() || event.is_error());
            }
            if event.is_writable()
                && let Some(conn) = self.conns.get_mut(slot)
                && !conn.out.is_empty()
            {
                mark(&mut self.dirty, conn, slot);
            }
        }
        self.flush(hears);
        Ok(())
    }

    /// Turns until `done` says so; false where `until` came first.
    ///
    /// # Errors
    /// As [`Net::turn`].
    pub fn turn_until<H: Hears>(&mut self, hears: &mut H, until: Instant, mut done: impl FnMut(&mut H) -> bool) -> io::Result<bool> {
        let mut events = Events::with_capacity(1_024);
        loop {
            if done(hears) {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.turn(hears, &mut events, left.min(Duration::from_millis(20)))?;
        }
    }

    /// Reads all that is there. `ending`: the other side has closed, so it is read until that is seen.
    fn read(&mut self, hears: &mut impl Hears, slot: usize, ending: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(conn) = self.conns.get_mut(slot) {
            let generation = conn.generation;
            let read = conn.read(&mut scratch);
            let (bytes, end) = match &read {
                Ok(held) => (scratch.get(..*held).unwrap_or_default(), None),
                Err(reason) => (&[][..], Some(reason.as_str())),
            };
            let handed = self.hand_on(hears, slot, generation, bytes);
            if let Some(reason) = end.or(handed.as_ref().err().map(String::as_str)) {
                self.end(hears, slot, generation, reason);
                break;
            }
            // A short read has taken everything: another would only say so.
            let full = bytes.len() == scratch.len();
            let more = full || (ending && !bytes.is_empty());
            if !more {
                break;
            }
            if full {
                scratch.resize(scratch.len() * 2, 0);
            }
        }
        self.scratch = scratch;
    }

    /// Hands on every whole frame or answer of these bytes, and keeps the rest with the connection.
    fn hand_on(&mut self, hears: &mut impl Hears, slot: usize, generation: u64, mut bytes: &[u8]) -> Result<(), String> {
        loop {
            let Some(conn) = self.conns.get_mut(slot).filter(|conn| conn.generation == generation) else {
                return Ok(());
            };
            let client = conn.client;
            let used = match conn.stage {
                Stage::Upgrading => {
                    let used = http::upgraded(bytes)?;
                    if used > 0 {
                        conn.stage = Stage::Frames;
                    }
                    used
                }
                Stage::Http => match http::answer(bytes)? {
                    Some((status, body, used)) => {
                        hears.heard(self, client, Heard::Response(status, body));
                        used
                    }
                    None => 0,
                },
                Stage::Frames => match frame::next(bytes)? {
                    Some((frame::Frame::Text(text), used)) => {
                        match packet::read(text)? {
                            Packet::Heard(heard) => hears.heard(self, client, heard),
                            Packet::Ping => {
                                self.pings += 1;
                                self.send(Id { slot, generation }, b"3");
                            }
                            Packet::Nothing => {}
                        }
                        used
                    }
                    Some((frame::Frame::Ping(payload), used)) => {
                        frame::pong(&mut conn.out, payload);
                        mark(&mut self.dirty, conn, slot);
                        used
                    }
                    Some((frame::Frame::Pong, used)) => used,
                    Some((frame::Frame::Close, _)) => return Err("the server closed the websocket".to_owned()),
                    None => 0,
                },
            };
            if used == 0 {
                if let Some(conn) = self.conns.get_mut(slot).filter(|conn| conn.generation == generation) {
                    conn.rest.extend_from_slice(bytes);
                }
                return Ok(());
            }
            bytes = bytes.get(used..).unwrap_or_default();
        }
    }

    /// Writes what was said, as far as the kernel takes it.
    fn flush(&mut self, hears: &mut impl Hears) {
        while let Some(slot) = self.dirty.pop() {
            let Some(conn) = self.conns.get_mut(slot) else { continue };
            conn.dirty = false;
            let generation = conn.generation;
            if let Err(reason) = conn.write() {
                self.end(hears, slot, generation, &reason);
            }
        }
    }

    fn end(&mut self, hears: &mut impl Hears, slot: usize, generation: u64, reason: &str) {
        if let Some(conn) = self.conns.get(slot).filter(|conn| conn.generation == generation) {
            let client = conn.client;
            self.conns.remove(slot);
            hears.heard(self, client, Heard::Closed(reason));
        }
    }
}

fn mark(dirty: &mut Vec<usize>, conn: &mut Conn, slot: usize) {
    if !conn.dirty {
        conn.dirty = true;
        dirty.push(slot);
    }
}
