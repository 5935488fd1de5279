//! One connection over which one thing is asked at a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::net::{Heard, Hears, Id, Net};
use crate::target::Target;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection straight to the server.
pub struct OneAtATime<'a> {
    target: &'a Target,
    net: Net,
    conn: Id,
    reader: Reader,
}

#[derive(Default)]
struct Reader {
    answer: Option<Result<(u16, Vec<u8>), String>>,
}

impl<'a> OneAtATime<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn open(target: &'a Target) -> Result<Self> {
        let mut net = Net::new(target.addr)?;
        let conn = net.open_http(0)?;
        Ok(Self { target, net, conn, reader: Reader::default() })
    }

    /// Asks for this path as this user, and waits for the body of a 200.
    ///
    /// # Errors
    /// It is not answered, or with another status.
    pub fn get(&mut self, path: &str, username: &str) -> Result<Vec<u8>> {
        let (host, token) = (self.target.addr, self.target.tokens.of(username));
        let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.net.send_raw(self.conn, text.as_bytes());
        self.net.turn_until(&mut self.reader, Instant::now() + PATIENCE, |reader| reader.answer.is_some())?;
        match self.reader.answer.take() {
            Some(Ok((200, body))) => Ok(body),
            Some(Ok((status, body))) => bail!("{path} was answered with {status}: {}", String::from_utf8_lossy(&body)),
            Some(Err(why)) => bail!("{path} was not answered: {why}"),
            None => bail!("{path} was not answered in {} s", PATIENCE.as_secs()),
        }
    }
}

impl Hears for Reader {
    fn heard(&mut self, _net: &mut Net, _client: usize, what: Heard<'_>) {
        match what {
            Heard::Response(status, body) => self.answer = Some(Ok((status, body.to_vec()))),
            Heard::Closed(why) => self.answer = Some(Err(why.to_owned())),
            _ => {}
        }
    }
}
