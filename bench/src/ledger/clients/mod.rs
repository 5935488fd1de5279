//! The users: each sends with nonces and tries until it is answered, comes back with its cursor whenever it was cut, and tells the
//! accounts what it hears.

mod by_rest;
mod setup;
mod turn;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use serde_json::json;

use super::accounts::{ChangeKind, EMOJIS, Ledger};
use super::bodies;
use super::churn::Churn;
use super::events::{self, Answer, Said, Screen};
use super::rest::Rest;
use super::timeline::Timeline;
use super::world::{REST_LANES, World};
use crate::json::text_after;
use crate::net::{Heard, Hears, Net};
use crate::random::Random;
use crate::target::Target;
use crate::virtual_users::{Step, VirtualUsers};

/// A server that has not answered for so long is given up: the connection is cut, and the client comes back. Longer than any fault.
const PATIENCE: Duration = Duration::from_secs(20);
/// Acknowledgements of rooms are numbered from here on, those of messages by the messages' numbers.
const MAKING: u64 = 1 << 40;
/// Changes of messages are numbered from here on, wherever messages are, too.
const CHANGES: usize = 1 << 39;

/// All of them.
pub struct Clients {
    /// The sockets.
    pub virtual_users: VirtualUsers,
    /// The rooms.
    pub world: World,
    /// The accounts.
    pub ledger: Ledger,
    /// When faults were, and what came after them.
    pub timeline: Timeline,
    /// Who comes and goes.
    pub churn: Churn,
    /// Connections that the server left without an answer for 20 s.
    pub given_up: usize,
    /// Connections that ended, or could not be opened, by the reason.
    pub lost: BTreeMap<String, u64>,
    /// Events `error`, by their code: the server said why it would cut the connection.
    pub errors: BTreeMap<String, u64>,
    /// Why there is nothing to go on with.
    pub problem: Option<String>,
    rest: Rest,
    /// The lane of each message.
    lane_of: Vec<usize>,
    /// The lane of each change.
    lane_of_change: Vec<usize>,
    /// The messages of each user's socket that nothing has settled, and since when an answer is awaited.
    outstanding: Vec<BTreeMap<usize, Instant>>,
    /// Messages to be sent again, and when.
    retries: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Users to connect again, and when.
    returns: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Each user's connections that failed one after the other.
    failed: Vec<u32>,
    /// Since when each user's socket is being opened.
    opening: Vec<Instant>,
    random: Random,
    /// Messages a second, all users together.
    rate: f64,
    credit: f64,
    turned: Instant,
    watched: Instant,
    text: String,
}

impl Clients {
    /// The users of this world, who are not connected yet.
    pub fn new(target: &Target, world: World, seed: u64, rate: f64) -> Self {
        let users = world.users;
        let mut ledger = Ledger::new(world.rooms.len());
        for (room, members) in world.rooms.iter().map(|room| &room.members).enumerate() {
            members.iter().for_each(|user| ledger.member(*user, room));
        }
        let now = Instant::now();
        Self {
            virtual_users: VirtualUsers::new(target, (0..users).map(World::name), users),
            world,
            ledger,
            timeline: Timeline::default(),
            churn: Churn::new(seed),
            given_up: 0,
            lost: BTreeMap::new(),
            errors: BTreeMap::new(),
            problem: None,
            rest: Rest::new(users, REST_LANES + 1),
            lane_of: Vec::new(),
            lane_of_change: Vec::new(),
            outstanding: vec![BTreeMap::new(); users],
            retries: BinaryHeap::new(),
            returns: BinaryHeap::new(),
            failed: vec![0; users],
            opening: vec![now; users],
            random: Random::new(seed ^ 0x0075_7365_7273),
            rate,
            credit: 0.0,
            turned: now,
            watched: now,
            text: String::new(),
        }
    }

    /// Whether everything sent is settled, everybody in, and everything known to be in the log delivered.
    pub fn is_drained(&self) -> bool {
        let everybody = self.virtual_users.ready() == self.virtual_users.users.len();
        // The last is dear to look at.
        everybody
            && self.ledger.open_count() == 0
            && self.ledger.changes.open_count() == 0
            && self.churn.is_over()
            && self.ledger.undelivered() == 0
    }

    /// A message goes out over its user's socket, for the first time or once more. It waits where the user is not in.
    fn tell(&mut self, net: &mut Net, number: usize) {
        if let Some(change) = number.checked_sub(CHANGES) {
            return self.tell_change(net, change);
        }
        let (user, room) = (self.ledger.sender(number), self.ledger.room(number));
        let Some(outstanding) = self.outstanding.get_mut(user) else { return };
        outstanding.insert(number, Instant::now());
        let conn = self.virtual_users.users.get(user).filter(|user| user.ready).and_then(|user| user.conn);
        let (Some(conn), Some(room)) = (conn, self.world.rooms.get(room)) else { return };
        self.ledger.attempt(number);
        let message = json!({ "room": room.id, "body": bodies::body(number), "nonce": number.to_string() });
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut self.text, format_args!("42{number}[\"message\",{message}]"));
        net.send(conn, self.text.as_bytes());
    }

    /// The same for a change of a message.
    fn tell_change(&mut self, net: &mut Net, number: usize) {
        let Some(change) = self.ledger.changes.get(number).copied() else { return };
        let Some(outstanding) = self.outstanding.get_mut(change.by) else { return };
        outstanding.insert(CHANGES + number, Instant::now());
        let conn = self.virtual_users.users.get(change.by).filter(|user| user.ready).and_then(|user| user.conn);
        let (Some(conn), Some(room)) = (conn, self.world.rooms.get(change.room)) else { return };
        let (room, seq) = (&room.id, change.seq);
        let (name, request) = match change.kind {
            ChangeKind::Edit => ("edit message", json!({ "room": room, "seq": seq, "body": bodies::edited(change.message, number) })),
            ChangeKind::Delete => ("delete message", json!({ "room": room, "seq": seq })),
            ChangeKind::React(emoji) => ("react", json!({ "room": room, "seq": seq, "emoji": EMOJIS.get(usize::from(emoji)), "on": true })),
            ChangeKind::Pin => ("pin message", json!({ "room": room, "seq": seq })),
        };
        net.send(conn, format!("42{}[\"{name}\",{request}]", CHANGES + number).as_bytes());
    }

    /// An answer to a change.
    fn changed(&mut self, number: usize, arguments: &str) {
        let Some(change) = self.ledger.changes.get(number).copied() else { return };
        let settled = match Answer::of_change(arguments, &change) {
            Answer::Acked(rev) => self.ledger.changes.acked(number, rev),
            Answer::Refused(code) => {
                self.ledger.answered(&code);
                self.ledger.changes.refused(number, &code)
            }
            Answer::Again(code) => {
                self.ledger.answered(&code);
                if self.ledger.changes.is_open(number) {
                    let wait = Duration::from_millis(self.random.between(100, 500) as u64);
                    self.retries.push(Reverse((Instant::now() + wait, CHANGES + number)));
                }
                false
            }
        };
        if !settled {
            return;
        }
        if let Some(outstanding) = self.outstanding.get_mut(change.by) {
            outstanding.remove(&(CHANGES + number));
        }
        if let Some(lane) = self.lane_of_change.get(number).and_then(|lane| self.world.lanes.get_mut(*lane)) {
            lane.open -= 1;
        }
    }

    /// Whether nothing has settled this message or change yet.
    fn is_open(&self, number: usize) -> bool {
        number.checked_sub(CHANGES).map_or_else(|| self.ledger.is_open(number), |change| self.ledger.changes.is_open(change))
    }

    /// An answer to a message, over whatever way.
    fn answered(&mut self, number: usize, answer: &Answer) {
        let settled = match answer {
            Answer::Acked(seq) => {
                let settled = self.ledger.acked(number, *seq);
                if settled {
                    self.timeline.acked(Instant::now());
                }
                settled
            }
            Answer::Refused(code) => self.ledger.refused(number, code),
            Answer::Again(code) => {
                self.ledger.answered(code);
                if code == "busy" {
                    self.timeline.busy();
                }
                false
            }
        };
        if !settled {
            return;
        }
        if let Some(outstanding) = self.outstanding.get_mut(self.ledger.sender(number)) {
            outstanding.remove(&number);
        }
        if let Some(lane) = self.lane_of.get(number).and_then(|lane| self.world.lanes.get_mut(*lane)) {
            lane.open -= 1;
        }
    }

    fn acked(&mut self, number: u64, arguments: &str) {
        if number >= MAKING {
            return self.made(number - MAKING, arguments);
        }
        let Ok(number) = usize::try_from(number) else { return };
        if let Some(change) = number.checked_sub(CHANGES) {
            return self.changed(change, arguments);
        }
        let answer = Answer::of_ack(arguments, number);
        if matches!(answer, Answer::Again(_)) && self.ledger.is_open(number) {
            let wait = Duration::from_millis(self.random.between(100, 500) as u64);
            self.retries.push(Reverse((Instant::now() + wait, number)));
        }
        self.answered(number, &answer);
    }

    fn event(&mut self, user: usize, event: &str) {
        let cursor = match events::read(event, &self.world) {
            Said::Row { room, seq, row, sender, screen, cursor } => {
                if let super::accounts::Row::Message(number) = row
                    && (self.ledger.room(number), Some(self.ledger.sender(number))) != (room, sender)
                {
                    self.ledger.changed(format!("message {number} came to user {user} in room {room} as user {sender:?}'s"));
                }
                self.ledger.delivered(user, room, seq, row);
                let changes = &mut self.ledger.changes;
                match screen {
                    Some(Screen::Text(about, rev, text)) => changes.text((user, room, about), rev, text),
                    Some(Screen::Reactions(about, reactions)) => changes.reactions((user, room, about), seq, reactions),
                    Some(Screen::Other(about)) => changes.other((user, room, about), seq),
                    None => {}
                }
                cursor
            }
            Said::Cursor(cursor) => cursor,
            Said::Resync(heads, cursor) => {
                self.ledger.resync(user, &heads);
                cursor
            }
            Said::Wrong(what) => return self.ledger.changed(format!("user {user} got {what}")),
            Said::Nothing => return,
        };
        if let Some(user) = self.virtual_users.users.get_mut(user) {
            let kept = user.cursor.get_or_insert_default();
            kept.clear();
            kept.push_str(cursor);
        }
    }

    /// The user's socket has ended: it comes back after a while, a longer one each time that it fails.
    fn comes_back(&mut self, user: usize) {
        let failed = self.failed.get(user).copied().unwrap_or(0);
        if let Some(failed) = self.failed.get_mut(user) {
            *failed += 1;
        }
        let most = 100_usize << failed.min(3);
        let wait = Duration::from_millis(self.random.between(most / 2, most) as u64);
        self.returns.push(Reverse((Instant::now() + wait, user)));
    }

    /// The user is in, and has all that it missed: what is not settled goes out again, in the order in which it was written.
    fn is_in(&mut self, net: &mut Net, user: usize) {
        if let Some(failed) = self.failed.get_mut(user) {
            *failed = 0;
        }
        self.timeline.came_in(Instant::now());
        let again: Vec<usize> = self.outstanding.get(user).map(|open| open.keys().copied().collect()).unwrap_or_default();
        again.into_iter().for_each(|number| self.tell(net, number));
    }
}

impl Hears for Clients {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        if self.rest.has(client) {
            return self.heard_by_rest(client, &what);
        }
        match self.virtual_users.heard(net, client, &what) {
            Step::Other => {}
            Step::OnTheWay => return,
            Step::Ready => return self.is_in(net, client),
            Step::Lost(why) => {
                // A refusal names the user first.
                let why = why.split_once(": {").map_or(why.as_str(), |(_, refusal)| refusal);
                *self.lost.entry(why.to_owned()).or_default() += 1;
                return self.comes_back(client);
            }
        }
        match what {
            Heard::Event(event) if event.starts_with("[\"error\",") => {
                let code = text_after(event, "\"code\":\"").unwrap_or("none");
                *self.errors.entry(code.to_owned()).or_default() += 1;
            }
            Heard::Event(event) => self.event(client, event),
            Heard::Ack(number, arguments) => self.acked(number, arguments),
            _ => {}
        }
    }
}
