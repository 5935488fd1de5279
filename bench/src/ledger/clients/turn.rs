//! What time brings: new messages at a bounded rate, second tries, returns, and connections that are given up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use mio::Events;

use super::{Clients, PATIENCE};
use crate::ledger::accounts::{ChangeKind, EMOJIS};
use crate::ledger::churn;
use crate::ledger::rest::Job;
use crate::ledger::world::Way;
use crate::net::Net;

/// How often it is looked whether a connection is to be given up.
const WATCH: Duration = Duration::from_millis(500);
/// After an outage no more is caught up with than what this long would have brought.
const CATCH_UP: f64 = 0.05;
/// One of so many things that are done over sockets is a change of a message, and it is one of so many recent ones.
const CHANGE_OF: usize = 3;
const RECENT: usize = 12;
/// So many lanes are tried for one that may send.
const LOOKS: usize = 8;

impl Clients {
    /// Does what is due, and hears what comes in the next two milliseconds. `sending`: new messages are written.
    ///
    /// # Errors
    /// This machine has no more sockets to give; a client was answered with what leaves nothing to go on with.
    pub fn turn(&mut self, net: &mut Net, events: &mut Events, sending: bool) -> Result<()> {
        self.do_what_is_due(net, sending)?;
        net.turn(self, events, Duration::from_millis(2))?;
        self.problem.take().map_or(Ok(()), |problem| Err(anyhow!(problem)))
    }

    fn do_what_is_due(&mut self, net: &mut Net, sending: bool) -> Result<()> {
        let now = Instant::now();
        while let Some(user) = due(&mut self.returns, now) {
            if let Some(opening) = self.opening.get_mut(user) {
                *opening = now;
            }
            self.virtual_users.want(user);
        }
        self.virtual_users.open(net)?;
        while let Some(number) = due(&mut self.retries, now) {
            if self.is_open(number) {
                self.tell(net, number);
            }
        }
        let since = now.duration_since(self.turned).as_secs_f64();
        self.turned = now;
        self.credit = (self.credit + since * self.rate).min((self.rate * CATCH_UP).max(1.0));
        while sending && self.credit >= 1.0 {
            self.credit -= 1.0;
            self.write(net);
        }
        self.turn_rest(net, now, !sending);
        if now.duration_since(self.watched) >= WATCH {
            self.watched = now;
            self.give_up(net, now);
        }
        self.timeline.look(now, self.virtual_users.ready() == self.virtual_users.users.len());
        Ok(())
    }

    /// A new message of some lane that may send one.
    fn write(&mut self, net: &mut Net) {
        for _ in 0..LOOKS {
            let number = self.random.below(self.world.lanes.len());
            let Some(lane) = self.world.lanes.get_mut(number) else { continue };
            let may = match lane.way {
                Way::Socket => self.virtual_users.users.get(lane.user).is_some_and(|user| user.ready),
                Way::Rest(worker) => self.rest.is_idle(worker),
            };
            if lane.paused || lane.open >= lane.window || !may {
                continue;
            }
            lane.open += 1;
            if lane.way == Way::Socket && lane.welcome && self.random.below(CHANGE_OF) == 0 {
                let (room, user) = (lane.room, lane.user);
                if let Some(change) = self.draw_change(room, user) {
                    self.lane_of_change.push(number);
                    return self.tell_change(net, change);
                }
            }
            let Some(lane) = self.world.lanes.get(number) else { continue };
            let message = self.ledger.write(lane.room, lane.user, lane.welcome);
            let way = lane.way;
            self.lane_of.push(number);
            match way {
                Way::Socket => self.tell(net, message),
                Way::Rest(worker) => self.rest.give(worker, Job::Send(message)),
            }
            return;
        }
    }

    /// A change of a message that was acknowledged, by this user; none if the room has no such message.
    fn draw_change(&mut self, room: usize, user: usize) -> Option<usize> {
        let place = self.random.below(RECENT);
        let message = self.ledger.some_acked(room, place)?;
        let is_own = self.ledger.sender(message.0) == user;
        let kind = match self.random.below(12) {
            0..5 if is_own => ChangeKind::Edit,
            5 if is_own => ChangeKind::Delete,
            6 => ChangeKind::Pin,
            emoji => ChangeKind::React(u8::try_from(emoji % EMOJIS.len()).unwrap_or(0)),
        };
        Some(self.ledger.changes.ask(room, user, message, kind))
    }

    fn turn_rest(&mut self, net: &mut Net, now: Instant, ending: bool) {
        if let Some(job) = self.churn.turn(&mut self.world, now, ending) {
            self.rest.give(churn::WORKER, job);
        }
        let Self { rest, world, ledger, virtual_users, .. } = self;
        let host = net.server();
        self.given_up += rest.turn(net, now, PATIENCE, |job| Self::request(world, ledger, &virtual_users.target, host, job));
    }

    /// Connections on which the server has left something without an answer for too long.
    fn give_up(&mut self, net: &mut Net, now: Instant) {
        for user in 0..self.virtual_users.users.len() {
            let Some(socket) = self.virtual_users.users.get(user).filter(|user| user.conn.is_some()) else { continue };
            let since = if socket.ready {
                self.outstanding.get(user).and_then(|open| open.values().min().copied())
            } else {
                self.opening.get(user).copied()
            };
            if since.is_some_and(|since| now.duration_since(since) > PATIENCE) {
                self.given_up += 1;
                self.virtual_users.cut(net, user);
                self.comes_back(user);
            }
        }
    }
}

/// The next one whose time has come.
fn due(heap: &mut BinaryHeap<Reverse<(Instant, usize)>>, now: Instant) -> Option<usize> {
    if heap.peek()?.0.0 > now {
        return None;
    }
    heap.pop().map(|Reverse((_, number))| number)
}
