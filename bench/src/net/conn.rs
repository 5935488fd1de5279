//! One connection: its socket, how far its handshake is, what was read in part and what waits to be written.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

/// What the bytes that come mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The answer to the upgrade.
    Upgrading,
    /// Websocket frames.
    Frames,
    /// HTTP answers.
    Http,
}

/// A connection that has not ended.
pub(super) struct Conn {
    stream: TcpStream,
    pub client: usize,
    pub generation: u64,
    pub stage: Stage,
    /// The beginning of a frame or answer whose rest has not come.
    pub rest: Vec<u8>,
    /// What waits to be written.
    pub out: Vec<u8>,
    /// Whether it stands on the list of what is to be written.
    pub dirty: bool,
}

impl Conn {
    /// `hello` is written as soon as the connection stands.
    pub fn new(stream: TcpStream, client: usize, generation: u64, stage: Stage, hello: &[u8]) -> Self {
        Self { stream, client, generation, stage, rest: Vec::new(), out: hello.to_vec(), dirty: false }
    }

    /// Puts what was left over and what has come into `into`; how many bytes that is.
    ///
    /// # Errors
    /// The connection has ended, and why.
    pub fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, String> {
        let had = self.rest.len();
        if into.len() < had * 2 {
            into.resize(had * 2, 0);
        }
        if let Some(start) = into.get_mut(..had) {
            start.copy_from_slice(&self.rest);
        }
        match self.stream.read(into.get_mut(had..).unwrap_or_default()) {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(came) => {
                self.rest = Vec::new();
                Ok(had + came)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes as much as the kernel takes.
    ///
    /// # Errors
    /// The connection has ended, and why.
    pub fn write(&mut self) -> Result<(), String> {
        let mut written = 0;
        while let Some(left) = self.out.get(written..).filter(|left| !left.is_empty()) {
            match self.stream.write(left) {
                Ok(0) => return Err("the connection takes nothing".to_owned()),
                Ok(took) => written += took,
                // Not connected yet, or full: the kernel says when it can go on.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        self.out.drain(..written);
        // Idle connections by the ten thousand should cost the generator nothing.
        if self.out.is_empty() && self.out.capacity() > 4_096 {
            self.out = Vec::new();
        }
        Ok(())
    }
}
