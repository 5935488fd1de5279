//! `bench fill`.

use std::path::PathBuf;

use anyhow::Result;

use crate::seed::{Seed, SeedPlan, TOGETHER};

/// Of `fill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rooms.
    #[arg(long, default_value_t = 1_000_000)]
    rooms: usize,
    /// Members of a room: two are a direct room, more a group.
    #[arg(long, default_value_t = 2)]
    members: usize,
    /// Messages in a room.
    #[arg(long, default_value_t = 3)]
    messages: usize,
    /// Users (f0, f1, …); without it as many as make everybody a member of 20 rooms.
    #[arg(long)]
    users: Option<usize>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    body: usize,
    /// Rooms that talk at a time, a message each in turn: so many rows lie between the messages of one room.
    #[arg(long, default_value_t = TOGETHER)]
    together: usize,
    /// The file; without it one in `bench` in the target folder that is named for its contents, where `rooms` and `history` look.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Makes it anew even if it is there.
    #[arg(long)]
    fresh: bool,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be.
    pub fn scenario(&self) -> Result<Seed> {
        let plan = SeedPlan::new(self.rooms, self.members, self.messages, self.users, self.body)?.talking_together(self.together);
        Ok(Seed { plan, database: self.database.clone(), fresh: self.fresh })
    }
}
