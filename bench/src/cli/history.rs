//! `bench history`.

use anyhow::{Result, bail};

use crate::scenarios::history::{History, PAGE};
use crate::seed::{SeedPlan, TOGETHER};

/// Of `history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages in all.
    #[arg(long, default_value_t = 5_000_000)]
    messages: usize,
    /// Rooms of two, which have as many each.
    #[arg(long, default_value_t = 20_000)]
    rooms: usize,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    body: usize,
    /// Rooms that talked at a time, a message each in turn: so many rows lie between the messages of one room. The fewer, the more of a page
    /// lies together on the disk.
    #[arg(long, default_value_t = TOGETHER)]
    together: usize,
    /// Makes the database anew even if it is there.
    #[arg(long)]
    fresh: bool,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be.
    pub fn scenario(&self) -> Result<History> {
        let each = self.messages / self.rooms.max(1);
        if each < PAGE || self.connections == 0 {
            bail!(
                "a room needs at least {PAGE} messages, and the server at least one connection; these are {each} and {}",
                self.connections
            );
        }
        Ok(History {
            plan: SeedPlan::new(self.rooms, 2, each, None, self.body)?.talking_together(self.together),
            connections: self.connections,
            seconds: self.seconds,
            fresh: self.fresh,
        })
    }
}
