//! `bench changes`.

use anyhow::{Result, bail};

use crate::scenarios::changes::Changes;

/// Of `changes`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Members of a room.
    #[arg(long, default_value_t = 2)]
    members: usize,
    /// Rooms.
    #[arg(long, default_value_t = 500)]
    rooms: usize,
    /// Requests that the first member of each room has outstanding; a server of ours takes up to 64 of a socket.
    #[arg(long, default_value_t = 8)]
    window: usize,
    /// Of each kind, in each room and turn.
    #[arg(long, default_value_t = 40)]
    each: usize,
    /// Turns that are measured; one more goes before them.
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    body: usize,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be.
    pub fn scenario(&self) -> Result<Changes> {
        let Self { members, rooms, window, each, turns, body } = *self;
        if members < 2 || rooms == 0 || each == 0 || turns == 0 || !(1..=64).contains(&window) {
            bail!("give --members of 2 or more, --window of 1 to 64, and at least one of --rooms, --each and --turns");
        }
        Ok(Changes { rooms, members, window, each, turns, body })
    }
}
