//! What `resume` and `jitter` share: rooms of receivers, whose sockets are cut, and senders, whose sockets are not.
//!
//! Senders are users of their own, members of the rooms that they send to (ten rooms or so each), and not counted as receivers: what they
//! send is acknowledged, so that the account starts from what is on disk. They add one delivery to each room. Every room's `seq` is held
//! against what each receiver got, across all its sockets.

mod account;
mod hears;
mod plan;
mod rooms;

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::Events;

pub use account::{Account, Counts};
pub use plan::Plan;

use crate::net::Net;
use crate::received::Received;
use crate::target::Target;
use crate::virtual_users::{VirtualUsers, tag};

/// Bytes of a body, with its stamp: what chat's figures are for.
const BODY: usize = 100;
/// After everything has come, for what should not come.
const QUIET: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Default)]
struct Room {
    id: String,
    /// The newest `seq` that was acknowledged.
    head: u64,
}

/// What an acknowledgement will be about.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Room(usize),
    Join,
    Message { room: usize, due: u64 },
}

/// Everybody, and what they have.
pub struct Audience {
    /// Receivers first, then senders.
    pub virtual_users: VirtualUsers,
    /// What was counted so far.
    pub counts: Counts,
    /// Microseconds since [`Audience::began`] at which each receiver last was back: `ready`, with all that was acknowledged when it was
    /// let in.
    pub back: Vec<u64>,
    /// Who is `ready` and has not all of that.
    pub behind: HashSet<usize>,
    /// Latencies are taken of messages that were due in these microseconds.
    pub watched: Range<u64>,
    /// When sending began.
    pub began: Instant,
    plan: Plan,
    rooms: Vec<Room>,
    received: Vec<Received>,
    /// The head of its room when each receiver was let in again.
    owed: Vec<u64>,
    asked: HashMap<u64, Asked>,
    next: u64,
    paced: u64,
    sends: bool,
    problem: Option<String>,
    text: Vec<u8>,
    pad: String,
}

impl Audience {
    /// Gets everybody in, and makes the rooms. Nothing is sent yet.
    ///
    /// # Errors
    /// The server refuses a user or a room.
    pub fn gather(net: &mut Net, target: &Target, plan: Plan) -> Result<Self> {
        let (tag, all) = (tag(), plan.clients + plan.senders());
        let mut virtual_users = VirtualUsers::new(target, (0..all).map(|client| format!("a{tag}-{client}")), plan.at_once);
        virtual_users.get_in(net)?;
        let mut audience = Self {
            virtual_users,
            counts: Counts::default(),
            back: vec![0; plan.clients],
            behind: HashSet::new(),
            watched: 0..u64::MAX,
            began: Instant::now(),
            plan,
            rooms: vec![Room::default(); plan.rooms()],
            received: vec![Received::default(); plan.clients],
            owed: vec![0; plan.clients],
            asked: HashMap::new(),
            next: 0,
            paced: 0,
            sends: false,
            problem: None,
            text: Vec::new(),
            pad: "x".repeat(BODY - STAMP),
        };
        audience.make_rooms(net)?;
        Ok(audience)
    }

    fn ask(&mut self, net: &mut Net, client: usize, asked: Asked, event: &str) {
        self.next += 1;
        self.asked.insert(self.next, asked);
        self.tell(net, client, format!("42{}{event}", self.next).as_bytes());
    }

    fn tell(&self, net: &mut Net, client: usize, text: &[u8]) {
        if let Some(conn) = self.virtual_users.users.get(client).and_then(|user| user.conn) {
            net.send(conn, text);
        }
    }

    /// Begins to send; time is counted from here.
    pub fn begin(&mut self) {
        (self.began, self.sends) = (Instant::now(), true);
    }

    /// Microseconds since it began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Cuts a receiver's socket; without effect where it has none.
    pub fn cut(&mut self, net: &mut Net, client: usize) {
        self.behind.remove(&client);
        self.virtual_users.cut(net, client);
    }

    /// Lets a receiver in again, after those that are in line.
    pub fn let_in(&mut self, client: usize) {
        let head = self.rooms.get(self.plan.room_of(client)).map_or(0, |room| room.head);
        if let (Some(user), Some(owed)) = (self.virtual_users.users.get_mut(client), self.owed.get_mut(client)) {
            if !self.plan.cursor {
                user.cursor = None;
            }
            *owed = head;
            self.virtual_users.want(client);
        }
    }

    /// Sends at the rate, lets in who waits, and hears, until `done` says so; false where `until` came first.
    ///
    /// # Errors
    /// The run cannot go on: a sender was cut, or the server refuses everything.
    pub fn flow(&mut self, net: &mut Net, until: Instant, mut done: impl FnMut(&mut Self, &mut Net) -> bool) -> Result<bool> {
        let mut events = Events::with_capacity(4_096);
        loop {
            let wait = self.send_what_is_due(net);
            if done(self, net) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            self.virtual_users.open(net)?;
            net.turn(self, &mut events, wait)?;
            if let Some(problem) = self.problem.take() {
                bail!("the run ended early: {problem}");
            }
        }
    }

    /// How long may be waited until the next one is due.
    fn send_what_is_due(&mut self, net: &mut Net) -> Duration {
        let wait = Duration::from_millis(5);
        if !self.sends {
            return wait;
        }
        let (rate, rooms) = (self.plan.rate.max(1) as u64, self.rooms.len().max(1));
        let now = self.now();
        let due = |paced: u64| paced * 1_000_000 / rate;
        while due(self.paced) <= now {
            self.send(net, usize::try_from(self.paced).unwrap_or(0) % rooms, due(self.paced));
            self.paced += 1;
        }
        // The kernel waits in whole milliseconds, too coarse for a pace: this core has nothing else to do.
        wait.min(Duration::from_millis((due(self.paced) - now) / 2_000))
    }

    fn send(&mut self, net: &mut Net, room: usize, due: u64) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        self.next += 1;
        self.counts.sent += 1;
        self.asked.insert(self.next, Asked::Message { room, due });
        let (n, id, pad) = (self.next, self.rooms.get(room).map_or("", |room| room.id.as_str()), &self.pad);
        // Writing to a Vec cannot fail.
        let _ = write!(text, "42{n}[\"message\",{{\"room\":\"{id}\",\"body\":\"{due:016x}{pad}\",\"nonce\":\"{n}\"}}]");
        self.tell(net, self.plan.sender(room), &text);
        self.text = text;
    }

    /// Sends no more, and waits until everybody is in, every message answered, and, with cursors, everything received; then a little
    /// for what should not come. What has not come after `patience` is missing.
    ///
    /// # Errors
    /// As [`Audience::flow`]; or messages were never answered.
    pub fn drain(&mut self, net: &mut Net, patience: Duration) -> Result<Account> {
        self.sends = false;
        self.flow(net, Instant::now() + patience, |all, _| {
            let answered = all.counts.acked + all.counts.refused == all.counts.sent;
            answered && all.virtual_users.ready() == all.virtual_users.users.len() && (!all.plan.cursor || all.counts.once >= all.due())
        })?;
        self.flow(net, Instant::now() + QUIET, |_, _| false)?;
        let open = self.counts.sent - self.counts.acked - self.counts.refused;
        if open > 0 {
            bail!("{open} of {} messages were neither acknowledged nor refused", self.counts.sent);
        }
        Ok(self.account())
    }

    fn due(&self) -> u64 {
        self.rooms.iter().enumerate().map(|(number, room)| room.head * self.plan.receivers(number).len() as u64).sum()
    }

    fn account(&self) -> Account {
        let mut account = Account { due: self.due(), ..Account::default() };
        for (client, received) in self.received.iter().enumerate() {
            account.missing += received.missing(self.rooms.get(self.plan.room_of(client)).map_or(0, |room| room.head));
            account.doubled += received.doubled;
            account.misplaced += received.misplaced;
        }
        account
    }
}

/// A body begins with the microsecond at which it was due, as so many hexadecimal digits.
const STAMP: usize = 16;
