//! Users who do without a socket: each worker has one HTTP connection and one thing to do at a time, which it tries until it is answered.

use std::time::{Duration, Instant};

use crate::net::{Heard, Id, Net};

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Sends this message.
    Send(usize),
    /// The user leaves the room.
    Leave {
        /// Who.
        user: usize,
        /// What.
        room: usize,
    },
    /// The user is added to the room again, by another.
    Return {
        /// Who.
        user: usize,
        /// What.
        room: usize,
        /// By whom.
        by: usize,
    },
}

/// A job under way.
#[derive(Clone, Copy, Debug)]
struct Doing {
    job: Job,
    tries: u32,
    /// When it is asked for (again).
    due: Instant,
    /// Since when there is no answer.
    asked: Option<Instant>,
}

#[derive(Debug, Default)]
struct Worker {
    conn: Option<Id>,
    doing: Option<Doing>,
}

/// All workers; worker `n` hears as client `first + n`.
#[derive(Debug)]
pub struct Rest {
    first: usize,
    workers: Vec<Worker>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Whose.
    pub worker: usize,
    /// To what.
    pub job: Job,
    /// How often it was asked for.
    pub tries: u32,
    /// HTTP's.
    pub status: u16,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl Rest {
    /// So many workers, from this client's number on.
    pub fn new(first: usize, count: usize) -> Self {
        Self { first, workers: (0..count).map(|_| Worker::default()).collect() }
    }

    /// Whether this client is one of them.
    pub fn has(&self, client: usize) -> bool {
        client >= self.first
    }

    /// Whether a worker has nothing to do.
    pub fn is_idle(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.doing.is_none())
    }

    /// Gives a worker something to do; it was idle.
    pub fn give(&mut self, worker: usize, job: Job) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.doing = Some(Doing { job, tries: 0, due: Instant::now(), asked: None });
        }
    }

    /// The job is done.
    pub fn settle(&mut self, worker: usize) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.doing = None;
        }
    }

    /// The job is tried again, after this time.
    pub fn again(&mut self, worker: usize, wait: Duration) {
        if let Some(doing) = self.workers.get_mut(worker).and_then(|worker| worker.doing.as_mut()) {
            (doing.due, doing.asked) = (Instant::now() + wait, None);
        }
    }

    /// Asks for what is due; `text` makes the request of a job. Answers how many connections were given up, because no answer came
    /// within `patience`.
    pub fn turn(&mut self, net: &mut Net, now: Instant, patience: Duration, mut text: impl FnMut(Job) -> String) -> usize {
        let mut given_up = 0;
        for (place, worker) in self.workers.iter_mut().enumerate() {
            let Some(doing) = &mut worker.doing else { continue };
            if doing.asked.is_some_and(|asked| now.duration_since(asked) > patience) {
                given_up += 1;
                doing.asked = None;
                worker.conn.take().into_iter().for_each(|conn| net.cut(conn));
            }
            if doing.asked.is_some() || doing.due > now {
                continue;
            }
            if worker.conn.is_none() {
                // Without a file descriptor it waits like one whose connection was cut.
                worker.conn = net.open_http(self.first + place).ok();
            }
            if let Some(conn) = worker.conn {
                doing.tries += 1;
                doing.asked = Some(now);
                net.send_raw(conn, text(doing.job).as_bytes());
            }
        }
        given_up
    }

    /// What a worker's connection brings. A job whose connection has ended is tried again after this time.
    pub fn heard<'a>(&mut self, client: usize, what: &Heard<'a>, wait: Duration) -> Option<Answered<'a>> {
        let place = client.checked_sub(self.first)?;
        let worker = self.workers.get_mut(place)?;
        match what {
            Heard::Closed(_) => {
                worker.conn = None;
                self.again(place, wait);
                None
            }
            Heard::Response(status, body) => {
                let doing = worker.doing.as_mut()?;
                doing.asked = None;
                doing.due = Instant::now() + wait;
                Some(Answered { worker: place, job: doing.job, tries: doing.tries, status: *status, body })
            }
            _ => None,
        }
    }
}

/// The text of a request; `body` is JSON, or empty.
pub fn request(method: &str, path: &str, host: std::net::SocketAddr, token: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{kind}Content-Length: {length}\r\n\r\n{body}")
}
