//! Talking in rooms that exist already, between users who are connected already.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::Events;
use slab::Slab;

use crate::json::{number_after, text_after};
use crate::net::{Heard, Hears, Net};
use crate::progress::Progress;
use crate::scenarios::traffic::{Outcome, Pace};
use crate::target::{Usage, usage};
use crate::virtual_users::{Step, VirtualUsers};

/// Before it is measured.
const WARM: Duration = Duration::from_secs(1);
/// For what is still on its way at the end.
const DRAIN: Duration = Duration::from_secs(10);
/// Bytes of a message.
const BODY: usize = 100;

/// A room of two, and the clients who are in it.
#[derive(Debug)]
pub struct Talked {
    /// Its id.
    pub id: String,
    /// Both members, by their number.
    pub members: [usize; 2],
    sent: u64,
    /// The newest `seq` that each has received, once there is one.
    newest: [Option<u64>; 2],
}

/// Everybody who is connected, and the rooms in which they talk.
pub struct Talk {
    /// The users.
    pub virtual_users: VirtualUsers,
    rooms: Vec<Talked>,
    by_id: HashMap<String, usize>,
    /// What is not acknowledged: room and due time, by the acknowledgement's number.
    open: Slab<(usize, u64)>,
    pace: Pace,
    began: Instant,
    /// Microseconds between which it is measured.
    from: u64,
    to: u64,
    text: Vec<u8>,
    pad: String,
    problem: Option<String>,
    outcome: Outcome,
}

impl Talk {
    /// These rooms, of users who are connected.
    pub fn new(virtual_users: VirtualUsers, rooms: impl IntoIterator<Item = (String, [usize; 2])>) -> Self {
        let rooms: Vec<_> = rooms.into_iter().map(|(id, members)| Talked { id, members, sent: 0, newest: [None; 2] }).collect();
        let by_id = rooms.iter().enumerate().map(|(number, room)| (room.id.clone(), number)).collect();
        let (pad, open, text) = ("x".repeat(BODY - 16), Slab::new(), Vec::new());
        let (pace, began, problem, outcome) = (Pace::Window(1), Instant::now(), None, Outcome::default());
        Self { virtual_users, rooms, by_id, open, pace, began, from: 0, to: 0, text, pad, problem, outcome }
    }

    /// Talks in all rooms in turn, or with a window in all at once, for so long after a second of warming up.
    ///
    /// # Errors
    /// A client is cut, or the server answers what cannot be.
    pub fn talk(&mut self, net: &mut Net, pace: Pace, time: Duration) -> Result<Outcome> {
        let mut events = Events::with_capacity(4_096);
        (self.pace, self.began, self.outcome) = (pace, Instant::now(), Outcome::default());
        (self.from, self.to) = (micros(WARM), micros(WARM + time));
        if let Pace::Window(window) = pace {
            for room in (0..self.rooms.len()).flat_map(|room| std::iter::repeat_n(room, window)) {
                self.send(net, room, 0);
            }
        }
        let progress = Progress::new(format!("guild: talking in {} rooms, {pace}", self.rooms.len()), self.to);
        let (mut paced, mut started) = (0_u64, None);
        loop {
            let now = self.now();
            if started.is_none() && now >= self.from {
                started = Some((self.used()?, now));
            }
            if now >= self.to {
                break;
            }
            let mut wait = Duration::from_millis(10);
            if let Pace::Rate(rate) = pace {
                let due = |paced: u64| paced * 1_000_000 / rate.max(1) as u64;
                while due(paced) <= now {
                    self.send(net, usize::try_from(paced).unwrap_or(0) % self.rooms.len(), due(paced));
                    paced += 1;
                }
                // The kernel waits in whole milliseconds, too coarse for a pace.
                wait = wait.min(Duration::from_millis((due(paced) - now) / 2_000));
            }
            net.turn(self, &mut events, wait)?;
            self.check()?;
            progress.at(now, || format!("{} acked", self.outcome.acked));
        }
        let ((before, own_before), from) = started.context("nothing was measured: give more --seconds")?;
        let (after, own_after) = self.used()?;
        self.outcome.seconds = Duration::from_micros(self.now() - from).as_secs_f64();
        self.outcome.cpu = Some(after.cpu - before.cpu);
        self.outcome.own_cpu = own_after.cpu - own_before.cpu;
        let all = |talk: &mut Self| {
            let outcome = &talk.outcome;
            talk.problem.is_some() || (outcome.acked + outcome.refused == outcome.sent && outcome.delivered >= outcome.acked * 2)
        };
        net.turn_until(self, Instant::now() + DRAIN, all)?;
        self.check()?;
        let outcome = &mut self.outcome;
        // What was never acknowledged is missing too, as far as its sender knows.
        outcome.missing = (outcome.acked * 2).saturating_sub(outcome.delivered) + (outcome.sent - outcome.acked - outcome.refused);
        progress.done(&format!("{:.0} acked/s", outcome.acked as f64 / self.began.elapsed().as_secs_f64()));
        self.open.clear();
        Ok(std::mem::take(&mut self.outcome))
    }

    fn check(&self) -> Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| bail!("the run ended early: {problem}"))
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }

    fn used(&self) -> Result<(Usage, Usage)> {
        Ok((self.virtual_users.target.usage()?.context("the server's process is not known")?, usage(std::process::id())?))
    }

    /// Both members send in turn.
    fn send(&mut self, net: &mut Net, number: usize, due: u64) {
        let Some(room) = self.rooms.get_mut(number) else { return };
        room.sent += 1;
        let [first, second] = room.members;
        let client = if room.sent % 2 == 0 { first } else { second };
        let ack = self.open.insert((number, due));
        self.outcome.sent += 1;
        self.text.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(self.text, "42{ack}[\"message\",{{\"room\":\"{}\",\"body\":\"{due:016x}{}\"}}]", room.id, self.pad);
        if let Some(conn) = self.virtual_users.users.get(client).and_then(|user| user.conn) {
            net.send(conn, &self.text);
        }
    }

    fn acked(&mut self, net: &mut Net, number: u64, answer: &str) {
        let now = self.now();
        let Some((room, due)) = usize::try_from(number).ok().and_then(|number| self.open.try_remove(number)) else {
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
        if matches!(self.pace, Pace::Window(_)) && now < self.to {
            self.send(net, room, now);
        }
    }

    fn received(&mut self, client: usize, event: &str) {
        let room = text_after(event, "\"room\":\"").and_then(|id| self.by_id.get(id)).and_then(|number| self.rooms.get_mut(*number));
        let due = text_after(event, "\"body\":\"").and_then(|body| u64::from_str_radix(body.get(..16)?, 16).ok());
        let place = room.map(|room| {
            let [first, _] = room.members;
            let [mine, others] = &mut room.newest;
            if client == first { mine } else { others }
        });
        let (Some(newest), Some(seq), Some(due)) = (place, number_after(event, "\"seq\":"), due) else {
            self.problem = Some(format!("a message that this program did not send: {event}"));
            return;
        };
        if newest.replace(seq).is_some_and(|newest| seq != newest + 1) {
            self.outcome.misplaced += 1;
        }
        self.outcome.delivered += 1;
        let now = self.now();
        if (self.from..self.to).contains(&now) {
            self.outcome.deliveries += 1;
        }
        if (self.from..self.to).contains(&due) {
            self.outcome.delivery.add_micros(now.saturating_sub(due));
        }
    }
}

impl Hears for Talk {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match self.virtual_users.heard(net, client, &what) {
            Step::Other => {}
            Step::Lost(why) => return self.problem = Some(format!("client {client} was cut: {why}")),
            Step::OnTheWay | Step::Ready => return,
        }
        match what {
            Heard::Event(event) if event.starts_with("[\"new message\",") => self.received(client, event),
            Heard::Ack(number, answer) => self.acked(net, number, answer),
            _ => {}
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
