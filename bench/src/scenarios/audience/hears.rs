//! What the sockets bring, and what it means for the account.

use super::{Asked, Audience, STAMP};
use crate::json::{number_after, text_after};
use crate::net::{Heard, Hears, Net};
use crate::received::Arrival;
use crate::target::Dialect;
use crate::virtual_users::Step;

impl Hears for Audience {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match self.virtual_users.heard(net, client, &what) {
            Step::OnTheWay => {}
            Step::Ready => self.is_back(net, client, &what),
            Step::Lost(why) => self.lost(client, &why),
            Step::Other => match what {
                Heard::Event(event) => self.event(client, event),
                Heard::Ack(number, answer) => self.answered(number, answer),
                _ => {}
            },
        }
    }
}

impl Audience {
    fn is_back(&mut self, net: &mut Net, client: usize, what: &Heard<'_>) {
        let now = self.now();
        let Some(back) = self.back.get_mut(client) else { return };
        *back = now;
        self.counts.returns += 1;
        if self.virtual_users.target.dialect == Dialect::Peer {
            // It keeps no membership: a client that comes back is in no room until it joins again.
            let join = self.join(self.plan.room_of(client));
            self.tell(net, client, format!("42{join}").as_bytes());
        } else if self.plan.cursor {
            if matches!(what, Heard::Event(ready) if !ready.contains("\"resumed\":true")) {
                self.counts.not_resumed += 1;
            }
            if self.owes(client) {
                self.counts.early += 1;
                self.behind.insert(client);
            }
        }
    }

    /// Whether a receiver lacks what was acknowledged when it was let in.
    fn owes(&self, client: usize) -> bool {
        let owed = self.owed.get(client).copied().unwrap_or(0);
        self.received.get(client).is_some_and(|received| received.missing(owed) > 0)
    }

    /// A receiver comes back at once, as a client does; a sender must not be lost, or it would not be known what is due.
    fn lost(&mut self, client: usize, why: &str) {
        self.counts.lost += 1;
        self.behind.remove(&client);
        if client >= self.plan.clients {
            self.problem = Some(format!("a sender was cut: {why}"));
        } else if self.counts.lost > 10 * self.plan.clients as u64 {
            self.problem = Some(format!("{} sockets were cut by the server, the last one because {why}", self.counts.lost));
        } else {
            self.let_in(client);
        }
    }

    fn event(&mut self, client: usize, event: &str) {
        // Senders are not accounted for, and need no cursor: they are never cut.
        let Some(user) = self.virtual_users.users.get_mut(client).filter(|_| client < self.plan.clients) else { return };
        if let Some(newest) = text_after(event, "\"cursor\":\"") {
            newest.clone_into(user.cursor.get_or_insert_default());
        }
        let there = user.ready;
        if !event.starts_with("[\"new message\",") {
            return;
        }
        let due = text_after(event, "\"body\":\"").and_then(|body| u64::from_str_radix(body.get(..STAMP)?, 16).ok());
        let (Some(due), Some(seq), Some(received)) = (due, number_after(event, "\"seq\":"), self.received.get_mut(client)) else {
            self.problem = Some(format!("a message that this program did not send: {event}"));
            return;
        };
        if received.take(seq) != Arrival::Again {
            self.counts.once += 1;
            self.counts.replayed += u64::from(!there);
        }
        let now = self.now();
        if there && self.watched.contains(&due) {
            self.counts.live.add_micros(now.saturating_sub(due));
        }
        if self.behind.contains(&client) && !self.owes(client) {
            self.behind.remove(&client);
            if let Some(back) = self.back.get_mut(client) {
                *back = now;
            }
        }
    }

    fn answered(&mut self, number: u64, answer: &str) {
        let well = answer.starts_with("[{\"ok\":true");
        match self.asked.remove(&number) {
            Some(Asked::Message { room, due }) if well => {
                self.counts.acked += 1;
                if let Some(room) = self.rooms.get_mut(room) {
                    room.head = room.head.max(number_after(answer, "\"seq\":").unwrap_or(0));
                }
                if self.watched.contains(&due) {
                    let now = self.now();
                    self.counts.ack.add_micros(now.saturating_sub(due));
                }
            }
            Some(Asked::Message { .. }) => {
                self.counts.refused += 1;
                if self.counts.refused > 1_000 {
                    self.problem = Some(format!("the server refuses messages: {answer}"));
                }
            }
            Some(Asked::Room(place)) if well => {
                if let (Some(id), Some(room)) = (text_after(answer, "\"id\":\""), self.rooms.get_mut(place)) {
                    id.clone_into(&mut room.id);
                }
            }
            Some(Asked::Join) if well => {}
            Some(Asked::Room(_) | Asked::Join) => self.problem = Some(format!("{answer} (limits must be off, see docs/performance.md)")),
            None => self.problem = Some(format!("an acknowledgement of nothing: {number} {answer}")),
        }
    }
}
