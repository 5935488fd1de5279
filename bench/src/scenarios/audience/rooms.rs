//! The rooms: one creates each for all where the server keeps memberships, and everybody joins where it does not.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::{Asked, Audience};
use crate::net::Net;
use crate::progress::Progress;
use crate::target::Dialect;

/// How many rooms are being made, or joined, at a time.
const ASKED_AT_ONCE: usize = 64;
/// For rooms that are being made: without an answer for so long, there will be none.
const ANSWER: Duration = Duration::from_secs(30);

impl Audience {
    /// Makes them, and has everybody join.
    ///
    /// # Errors
    /// The server refuses, or does not answer.
    pub(super) fn make_rooms(&mut self, net: &mut Net) -> Result<()> {
        let progress =
            Progress::new(format!("{}: making {} rooms", self.virtual_users.target.name, self.plan.rooms()), self.plan.rooms() as u64);
        for room in 0..self.plan.rooms() {
            let sender = self.plan.sender(room);
            match self.virtual_users.target.dialect {
                Dialect::Guild => {
                    let users = self.virtual_users.users.get(self.plan.receivers(room)).unwrap_or_default();
                    let usernames: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
                    let ask = json!({ "usernames": usernames, "name": format!("room {room}") });
                    self.ask(net, sender, Asked::Room(room), &format!("[\"create room\",{ask}]"));
                }
                Dialect::Peer => {
                    if let Some(place) = self.rooms.get_mut(room) {
                        place.id = format!("r{room}");
                    }
                    for client in self.plan.receivers(room).chain([sender]) {
                        let join = self.join(room);
                        self.ask(net, client, Asked::Join, &join);
                        self.until_answered(net, ASKED_AT_ONCE)?;
                    }
                }
            }
            self.until_answered(net, ASKED_AT_ONCE)?;
            progress.at(room as u64, String::new);
        }
        self.until_answered(net, 0)?;
        progress.done("done");
        Ok(())
    }

    fn until_answered(&mut self, net: &mut Net, but: usize) -> Result<()> {
        let answered = net.turn_until(self, Instant::now() + ANSWER, |all| all.problem.is_some() || all.asked.len() <= but)?;
        if let Some(problem) = self.problem.take() {
            bail!("a room could not be made: {problem}");
        }
        if !answered {
            bail!("{} requests for rooms were not answered for {} s", self.asked.len(), ANSWER.as_secs());
        }
        Ok(())
    }

    /// The event that joins a room.
    pub(super) fn join(&self, room: usize) -> String {
        format!("[\"join\",{}]", json!({ "room": self.rooms.get(room).map_or("", |room| room.id.as_str()) }))
    }
}
