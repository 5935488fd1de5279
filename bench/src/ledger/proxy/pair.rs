//! Two connections that are one to those at their ends: what comes from the one side goes out at the other.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use socket2::SockRef;

/// Where something comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's connection.
    Client,
    /// The one to the server.
    Server,
}

impl Side {
    /// The one across.
    pub fn other(self) -> Self {
        if self == Self::Client { Self::Server } else { Self::Client }
    }
}

/// Read at most at once, and so also what may wait between two connections.
pub const AT_ONCE: usize = 64 * 1024;

/// One end: its connection, and what was read from it and not yet passed on.
struct End {
    stream: TcpStream,
    waiting: Vec<u8>,
    held_until: Option<Instant>,
}

impl End {
    fn new(stream: TcpStream) -> Self {
        Self { stream, waiting: Vec::new(), held_until: None }
    }
}

/// Both ends.
pub struct Pair {
    client: End,
    server: End,
    /// So many bytes are passed on, and then it is over; with a reset or not.
    torn: Option<(usize, bool)>,
}

impl Pair {
    /// A client, its connection to the server, and what was read from the client already. Both ends are watched by whoever makes it.
    pub fn new(client: TcpStream, server: TcpStream, said: Vec<u8>) -> Self {
        for stream in [&client, &server] {
            // Without it the figures are a little worse, and that is all.
            let _ = stream.set_nodelay(true);
        }
        Self { client: End { waiting: said, ..End::new(client) }, server: End::new(server), torn: None }
    }

    /// From now on only this many bytes are passed on.
    pub fn tear(&mut self, after: usize, reset: bool) {
        self.torn = Some((after, reset));
    }

    /// Nothing that comes from this side is passed on until then.
    pub fn stall(&mut self, from: Side, until: Instant) {
        self.ends(from).0.held_until = Some(until);
    }

    /// Nothing is passed on until then.
    pub fn stall_both(&mut self, until: Instant) {
        (self.client.held_until, self.server.held_until) = (Some(until), Some(until));
    }

    /// When the next stall of it is over.
    pub fn stalled_until(&self) -> Option<Instant> {
        [&self.client, &self.server].into_iter().filter_map(|end| end.held_until).min()
    }

    /// The side whose stall is over by now.
    pub fn wake(&mut self, now: Instant) -> Option<Side> {
        [Side::Client, Side::Server].into_iter().find(|side| self.ends(*side).0.held_until.take_if(|until| *until <= now).is_some())
    }

    fn ends(&mut self, from: Side) -> (&mut End, &mut End) {
        match from {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        }
    }

    /// Passes on what has come from this side, as far as the other takes it; `scratch` is what is read into. False once the pair is over.
    pub fn pass_on(&mut self, from: Side, scratch: &mut [u8]) -> bool {
        let mut torn = self.torn;
        let (source, sink) = self.ends(from);
        if source.held_until.is_some() {
            return true;
        }
        let outcome = if source.waiting.is_empty() {
            move_on(source, sink, &mut torn, scratch)
        } else {
            let waiting = std::mem::take(&mut source.waiting);
            match write(sink, &waiting, &mut torn) {
                Ok(took) => {
                    source.waiting.extend_from_slice(waiting.get(took..).unwrap_or_default());
                    if source.waiting.is_empty() { move_on(source, sink, &mut torn, scratch) } else { Ok(()) }
                }
                Err(over) => Err(over),
            }
        };
        self.torn = torn;
        match outcome {
            Ok(()) => true,
            Err(Over { reset }) => {
                self.end(reset);
                false
            }
        }
    }

    /// What is closed next goes with a reset, or properly.
    pub fn end(&mut self, reset: bool) {
        if reset {
            [&self.client, &self.server].into_iter().for_each(|end| reset_at_close(&end.stream));
        }
    }
}

/// Its close sends RST instead of FIN, and drops what was not sent.
pub fn reset_at_close(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// The pair is over: with a reset, or properly.
struct Over {
    reset: bool,
}

/// Reads and writes until nothing more is there, or nothing more fits.
fn move_on(source: &mut End, sink: &mut End, torn: &mut Option<(usize, bool)>, scratch: &mut [u8]) -> Result<(), Over> {
    loop {
        let came = match source.stream.read(scratch) {
            Ok(0) => return Err(Over { reset: false }),
            Ok(came) => scratch.get(..came).unwrap_or_default(),
            Err(error) if is_for_later(&error) => return Ok(()),
            Err(_) => return Err(Over { reset: true }),
        };
        let took = write(sink, came, torn)?;
        if took < came.len() {
            source.waiting.extend_from_slice(came.get(took..).unwrap_or_default());
            return Ok(());
        }
    }
}

/// How much of it the sink has taken.
fn write(sink: &mut End, bytes: &[u8], torn: &mut Option<(usize, bool)>) -> Result<usize, Over> {
    let mut written = 0;
    while written < bytes.len() {
        let most = torn.map_or(bytes.len(), |(left, _)| bytes.len().min(written + left));
        match sink.stream.write(bytes.get(written..most).unwrap_or_default()) {
            Ok(took) => {
                written += took;
                if let Some((left, reset)) = torn {
                    *left = left.saturating_sub(took);
                    if *left == 0 {
                        return Err(Over { reset: *reset });
                    }
                }
            }
            Err(error) if is_for_later(&error) => break,
            Err(_) => return Err(Over { reset: true }),
        }
    }
    Ok(written)
}

/// Nothing is there, nothing fits, or the connection does not stand yet: the kernel says when it is worth another try.
pub fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted)
}
