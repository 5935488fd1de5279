//! Pages over REST, and what else it answers with 200 or 201: several connections with one request each under way, until there is nothing more to ask.
//! Every answer is looked at.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::meter::{Meter, Spent};
use crate::latency::Latency;
use crate::net::{Heard, Hears, Id, Net};
use crate::target::Target;

/// Knows what to ask, and what must be answered.
pub trait Reader {
    /// What this connection asks for next; nothing where it has all that it wants.
    fn next(&mut self, client: usize) -> Option<Question>;

    /// Looks at the page that it got.
    ///
    /// # Errors
    /// It is not what it must be, and why.
    fn page(&mut self, client: usize, body: &[u8]) -> Result<(), String>;
}

/// A request.
#[derive(Clone, Debug)]
pub struct Question {
    /// HTTP's.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The token of who asks.
    pub token: String,
    /// JSON, or nothing.
    pub body: String,
}

impl Question {
    /// A GET.
    pub fn get(path: String, token: String) -> Self {
        Self { method: "GET", path, token, body: String::new() }
    }
}

/// What a reading gave.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Pages that came.
    pub pages: u64,
    /// Their bytes, without heads.
    pub bytes: u64,
    /// From asking to the whole page.
    pub took: Latency,
    /// From the first request to the last page.
    pub spent: Spent,
}

/// A page that does not come in this time is said never to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads over so many connections, which are opened for it.
///
/// # Errors
/// A page does not come, or is not what it must be.
pub fn read(target: &Target, connections: usize, reader: &mut dyn Reader) -> Result<Reading> {
    let mut net = Net::new(target.addr)?;
    let conns = (0..connections).map(|client| Ok((net.open_http(client)?, None))).collect::<Result<_>>()?;
    let mut asking = Asking { reader, conns, text: String::new(), problem: None, open: 0, reading: Reading::default() };
    let meter = Meter::start(target)?;
    (0..connections).for_each(|client| asking.ask(&mut net, client));
    loop {
        let before = asking.reading.pages;
        let moved = net.turn_until(&mut asking, Instant::now() + PATIENCE, |asking| {
            asking.problem.is_some() || asking.open == 0 || asking.reading.pages > before + 1_000
        })?;
        if let Some(problem) = asking.problem {
            bail!("{problem}");
        }
        if asking.open == 0 {
            break;
        }
        if !moved && asking.reading.pages == before {
            bail!("a page was not answered within {} s", PATIENCE.as_secs());
        }
    }
    let mut reading = asking.reading;
    reading.spent = meter.spent(target)?;
    Ok(reading)
}

struct Asking<'a> {
    reader: &'a mut dyn Reader,
    /// Each connection, and since when it waits for a page.
    conns: Vec<(Id, Option<Instant>)>,
    text: String,
    problem: Option<String>,
    /// How many wait.
    open: usize,
    reading: Reading,
}

impl Asking<'_> {
    fn ask(&mut self, net: &mut Net, client: usize) {
        let Some((conn, since)) = self.conns.get_mut(client) else { return };
        let Some(Question { method, path, token, body }) = self.reader.next(client) else { return };
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n", net.server());
        let _ = match body.len() {
            0 => write!(self.text, "\r\n"),
            length => write!(self.text, "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"),
        };
        *since = Some(Instant::now());
        self.open += 1;
        net.send_raw(*conn, self.text.as_bytes());
    }

    fn page(&mut self, net: &mut Net, client: usize, status: u16, body: &[u8]) {
        let now = Instant::now();
        let Some(since) = self.conns.get_mut(client).and_then(|(_, since)| since.take()) else {
            self.problem = Some("an answer that nobody asked for".to_owned());
            return;
        };
        self.open -= 1;
        self.reading.pages += 1;
        self.reading.bytes += body.len() as u64;
        self.reading.took.add(since, now);
        let verdict = if matches!(status, 200 | 201) { self.reader.page(client, body) } else { Err(format!("status {status}")) };
        if let Err(why) = verdict {
            self.problem = Some(format!("a page is wrong: {why}: {}", String::from_utf8_lossy(body.get(..400).unwrap_or(body))));
            return;
        }
        self.ask(net, client);
    }
}

impl Hears for Asking<'_> {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match what {
            Heard::Response(status, body) => self.page(net, client, status, body),
            Heard::Closed(why) => self.problem = Some(format!("connection {client} was cut: {why}")),
            _ => {}
        }
    }
}
