//! The beginning: everybody is let in, and the rooms are made.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Clients, MAKING};
use crate::net::Net;

impl Clients {
    /// Lets everybody in and makes the rooms, before any fault.
    ///
    /// # Errors
    /// Somebody is refused, a room is not made.
    pub fn begin(&mut self, net: &mut Net) -> Result<()> {
        self.virtual_users.get_in(net)?;
        let rooms = self.world.rooms.len();
        for room in 0..rooms {
            let maker = self.world.rooms.get(room).and_then(|room| room.members.first());
            let conn = maker.and_then(|user| self.virtual_users.users.get(*user)).and_then(|user| user.conn);
            if let Some(conn) = conn {
                let number = MAKING + room as u64;
                net.send(conn, format!("42{number}[\"create room\",{}]", self.world.creation(room)).as_bytes());
            }
        }
        let until = Instant::now() + Duration::from_secs(60);
        net.turn_until(self, until, |clients| clients.problem.is_some() || clients.world.made_count() == rooms)?;
        match self.problem.take() {
            Some(problem) => bail!("{problem}"),
            None if self.world.made_count() < rooms => bail!("{} of {rooms} rooms were made in a minute", self.world.made_count()),
            None => {
                self.turned = Instant::now();
                Ok(())
            }
        }
    }

    pub(super) fn made(&mut self, room: u64, arguments: &str) {
        let answer: Value = serde_json::from_str(arguments).unwrap_or_default();
        match (usize::try_from(room), answer.pointer("/0/room/id").and_then(Value::as_str)) {
            (Ok(room), Some(id)) => self.world.made(room, id),
            _ => self.problem = Some(format!("room {room} was not made: {arguments}")),
        }
    }
}
