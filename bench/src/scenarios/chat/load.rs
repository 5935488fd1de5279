//! One load: gets the users in, makes the rooms, sends, and counts.
//!
//! A message's body begins with the microsecond at which it was due, so a server that falls behind a fixed rate is charged for the
//! wait, and a receiver needs no memory of what was sent. Every delivery's `seq` is held against the one before.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::Events;
use serde_json::{Value, json};

use crate::json::{number_after, text_after};
use crate::net::{Heard, Hears, Net};
use crate::progress::Progress;
use crate::scenarios::traffic::{Outcome, Pace};
use crate::target::{Dialect, Target, Usage, own_usage};
use crate::virtual_users::{Step, VirtualUsers, tag};

/// One load.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Rooms.
    pub rooms: usize,
    /// Members of each; the first one sends.
    pub members: usize,
    /// How.
    pub pace: Pace,
    /// How long is measured.
    pub seconds: f64,
    /// Bytes of a body; at least the 16 of its stamp.
    pub body: usize,
}

/// Before it is measured.
const WARM: Duration = Duration::from_secs(1);
/// For what is still on its way at the end.
const DRAIN: Duration = Duration::from_secs(10);
/// How many rooms are being made at a time.
const ROOMS_AT_ONCE: usize = 64;

/// Runs one load against this server.
///
/// # Errors
/// The server refuses a user or a room, cuts a socket, or answers nothing any more.
pub fn run(target: &Target, case: &Case) -> Result<Outcome> {
    let mut net = target.net()?;
    // Fresh users each time: what an earlier run left in the database has nothing to do with this one.
    let tag = tag();
    let names = (0..case.rooms * case.members).map(|client| format!("b{tag}-{client}"));
    let mut virtual_users = VirtualUsers::new(target, names, 64);
    virtual_users.get_in(&mut net)?;
    let mut running = Running::new(virtual_users, *case);
    running.make_rooms(&mut net)?;
    running.talk(&mut net)?;
    Ok(running.outcome)
}

#[derive(Default)]
struct Room {
    id: String,
    /// Messages that were sent, which is also the number of the newest.
    sent: u64,
    /// Number and due time of what is not acknowledged, in the order in which it was sent.
    open: VecDeque<(u64, u64)>,
}

struct Running {
    virtual_users: VirtualUsers,
    case: Case,
    rooms: Vec<Room>,
    /// The newest `seq` that each client has.
    newest: Vec<u64>,
    /// Answers awaited while rooms are made, and what made that impossible.
    made: usize,
    problem: Option<String>,
    began: Instant,
    /// Microseconds between which it is measured.
    from: u64,
    to: u64,
    now: u64,
    text: Vec<u8>,
    pad: String,
    outcome: Outcome,
}

impl Running {
    fn new(virtual_users: VirtualUsers, case: Case) -> Self {
        let rooms = (0..case.rooms).map(|_| Room::default()).collect();
        let (newest, pad) = (vec![0; virtual_users.users.len()], "x".repeat(case.body.saturating_sub(16)));
        let (began, text, outcome) = (Instant::now(), Vec::new(), Outcome::default());
        Self { virtual_users, case, rooms, newest, made: 0, problem: None, began, from: 0, to: u64::MAX, now: 0, text, pad, outcome }
    }

    /// Each room by its first member, or every member for itself, as the server wants it.
    fn make_rooms(&mut self, net: &mut Net) -> Result<()> {
        let asks: Vec<(usize, String)> = match self.virtual_users.target.dialect {
            Dialect::Guild => (0..self.case.rooms).map(|room| (room * self.case.members, self.room(room))).collect(),
            Dialect::Peer => (0..self.virtual_users.users.len())
                .map(|client| (client, format!("420[\"join\",{}]", json!({ "room": format!("r{}", client / self.case.members) }))))
                .collect(),
        };
        let progress = Progress::new(format!("{}: making {} rooms", self.virtual_users.target.name, self.case.rooms), asks.len() as u64);
        for (asked, (client, ask)) in asks.iter().enumerate() {
            self.tell(net, *client, ask.as_bytes());
            let enough = asked.saturating_sub(ROOMS_AT_ONCE);
            self.until_made(net, enough)?;
            progress.at(asked as u64, String::new);
        }
        self.until_made(net, asks.len())?;
        if self.virtual_users.target.dialect == Dialect::Peer {
            self.rooms.iter_mut().enumerate().for_each(|(number, room)| room.id = format!("r{number}"));
        }
        progress.done("done");
        Ok(())
    }

    fn until_made(&mut self, net: &mut Net, count: usize) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        let made = net.turn_until(self, until, |running| running.problem.is_some() || running.made >= count)?;
        if let Some(problem) = self.problem.take() {
            bail!("a room could not be made: {problem}");
        }
        if !made {
            bail!("{} rooms were made, and then there was no answer for 30 s", self.made);
        }
        Ok(())
    }

    fn room(&self, room: usize) -> String {
        let first = room * self.case.members;
        let others = self.virtual_users.users.get(first + 1..first + self.case.members).unwrap_or_default();
        let usernames: Vec<_> = others.iter().map(|user| user.name.as_str()).collect();
        // Two people without a name would be a direct room; so is this load meant.
        let name = (self.case.members != 2).then(|| format!("room {room}"));
        let ask = json!({ "usernames": usernames, "name": name });
        format!("420[\"create room\",{ask}]")
    }

    fn tell(&self, net: &mut Net, client: usize, text: &[u8]) {
        if let Some(conn) = self.virtual_users.users.get(client).and_then(|user| user.conn) {
            net.send(conn, text);
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    fn send(&mut self, net: &mut Net, number: usize, due: u64) {
        let Some(room) = self.rooms.get_mut(number) else { return };
        room.sent += 1;
        room.open.push_back((room.sent, due));
        self.outcome.sent += 1;
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let (n, id, pad) = (room.sent, &room.id, &self.pad);
        // Writing to a Vec cannot fail.
        let _ = write!(text, "42{n}[\"message\",{{\"room\":\"{id}\",\"body\":\"{due:016x}{pad}\",\"nonce\":\"{n}\"}}]");
        self.tell(net, number * self.case.members, &text);
        self.text = text;
    }

    fn talk(&mut self, net: &mut Net) -> Result<()> {
        let mut events = Events::with_capacity(4_096);
        let measured = Duration::from_secs_f64(self.case.seconds);
        self.began = Instant::now();
        self.from = self.micros(self.began + WARM);
        self.to = self.micros(self.began + WARM + measured);
        if let Pace::Window(window) = self.case.pace {
            for room in (0..self.case.rooms).flat_map(|room| std::iter::repeat_n(room, window)) {
                self.send(net, room, 0);
            }
        }
        let progress = Progress::new(
            format!("{}: {} × {}, {}", self.virtual_users.target.name, self.case.rooms, self.case.members, self.case.pace),
            self.to,
        );
        let (mut paced, mut started) = (0_u64, None);
        loop {
            self.now = self.micros(Instant::now());
            if started.is_none() && self.now >= self.from {
                started = Some((self.used()?, self.now));
            }
            if self.now >= self.to {
                break;
            }
            let mut wait = Duration::from_millis(10);
            if let Pace::Rate(rate) = self.case.pace {
                let due = |paced: u64| paced * 1_000_000 / rate.max(1) as u64;
                while due(paced) <= self.now {
                    self.send(net, usize::try_from(paced).unwrap_or(0) % self.case.rooms, due(paced));
                    paced += 1;
                }
                // The kernel waits in whole milliseconds, too coarse for a pace: this core has nothing else to do.
                wait = wait.min(Duration::from_millis((due(paced) - self.now) / 2_000));
            }
            net.turn(self, &mut events, wait)?;
            if let Some(problem) = &self.problem {
                bail!("the run ended early: {problem}");
            }
            let outcome = &self.outcome;
            progress.at(self.now, || format!("{} acked, {} delivered", outcome.acked, outcome.delivered));
        }
        let ((before, own_before), from) = started.context("nothing was measured: give more --seconds")?;
        let (after, own_after) = self.used()?;
        #[allow(clippy::cast_precision_loss)]
        let seconds = (self.now - from) as f64 / 1e6;
        self.outcome.seconds = seconds;
        self.outcome.cpu = before.zip(after).map(|(before, after)| after.cpu - before.cpu);
        self.outcome.resident = after.map(|after| after.resident);
        self.outcome.own_cpu = own_after.cpu - own_before.cpu;
        self.drain(net)?;
        progress.done(&format!("{:.0} acked/s", f64::from(u32::try_from(self.outcome.acks).unwrap_or(u32::MAX)) / seconds));
        Ok(())
    }

    fn used(&self) -> Result<(Option<Usage>, Usage)> {
        Ok((self.virtual_users.target.usage()?, own_usage()?))
    }

    /// Waits for the answers and deliveries that are still on their way, and counts what never comes.
    fn drain(&mut self, net: &mut Net) -> Result<()> {
        let members = self.case.members as u64;
        net.turn_until(self, Instant::now() + DRAIN, |running| {
            let answered = running.outcome.acked + running.outcome.refused == running.outcome.sent;
            running.problem.is_some() || (answered && running.outcome.delivered >= running.outcome.acked * members)
        })?;
        if let Some(problem) = &self.problem {
            bail!("the run ended early: {problem}");
        }
        self.outcome.missing = (self.outcome.acked * members).saturating_sub(self.outcome.delivered);
        Ok(())
    }

    fn acked(&mut self, net: &mut Net, client: usize, number: u64, answer: &str) {
        let now = self.micros(Instant::now());
        let place = client / self.case.members;
        let Some(room) = self.rooms.get_mut(place) else { return };
        let open = room.open.iter().position(|(open, _)| *open == number).and_then(|at| room.open.remove(at));
        let Some((_, due)) = open else {
            self.problem = Some(format!("an acknowledgement of nothing: {number} {answer}"));
            return;
        };
        if answer.starts_with("[{\"ok\":true") {
            self.outcome.acked += 1;
            if (self.from..self.to).contains(&now) {
                self.outcome.acks += 1;
            }
            if (self.from..self.to).contains(&due) {
                self.outcome.ack.add_micros(now - due);
            }
        } else {
            self.outcome.refused += 1;
            self.outcome.refusal.get_or_insert_with(|| answer.to_owned());
            if self.outcome.refused > 1_000 {
                self.problem = Some(format!("the server refuses messages: {answer}"));
            }
        }
        if matches!(self.case.pace, Pace::Window(_)) && now < self.to {
            self.send(net, place, now);
        }
    }

    fn received(&mut self, client: usize, event: &str) {
        let due = text_after(event, "\"body\":\"").and_then(|body| u64::from_str_radix(body.get(..16)?, 16).ok());
        let (Some(due), Some(seq), Some(newest)) = (due, number_after(event, "\"seq\":"), self.newest.get_mut(client)) else {
            self.problem = Some(format!("a message that this program did not send: {event}"));
            return;
        };
        if seq != *newest + 1 {
            self.outcome.misplaced += 1;
        }
        *newest = seq;
        let now = self.micros(Instant::now());
        self.outcome.delivered += 1;
        if (self.from..self.to).contains(&now) {
            self.outcome.deliveries += 1;
        }
        if (self.from..self.to).contains(&due) {
            self.outcome.delivery.add_micros(now.saturating_sub(due));
        }
    }

    /// The answer to a room.
    fn made(&mut self, client: usize, answer: &str) {
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        let first = answer.get(0).unwrap_or(&Value::Null);
        if first["ok"] != true {
            self.problem = Some(format!("{} (limits must be off, see docs/performance.md)", first["error"]));
            return;
        }
        let id = first.pointer("/room/id").and_then(Value::as_str);
        if let (Some(id), Some(room)) = (id, self.rooms.get_mut(client / self.case.members)) {
            id.clone_into(&mut room.id);
        }
        self.made += 1;
    }
}

impl Hears for Running {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match self.virtual_users.heard(net, client, &what) {
            Step::Other => {}
            Step::Lost(why) => return self.problem = Some(format!("client {client} was cut: {why}")),
            Step::OnTheWay | Step::Ready => return,
        }
        match what {
            Heard::Event(event) if event.starts_with("[\"new message\",") => self.received(client, event),
            Heard::Ack(0, answer) => self.made(client, answer),
            Heard::Ack(number, answer) => self.acked(net, client, number, answer),
            _ => {}
        }
    }
}
