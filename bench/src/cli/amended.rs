//! `bench amended`.

use anyhow::{Result, bail};

use crate::scenarios::amended::{Amended, EMOJIS, PAGE};

/// Of `amended`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages of each of the two rooms.
    #[arg(long, default_value_t = 5_000)]
    messages: usize,
    /// Members of each, who all react to every message of the second one.
    #[arg(long, default_value_t = 2)]
    members: usize,
    /// With how many emojis each of them reacts, 1 to 5.
    #[arg(long, default_value_t = 1)]
    emojis: usize,
    /// Connections, each with one request under way; with commas, one number after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    connections: Vec<usize>,
    /// Pages of each room in a turn.
    #[arg(long, default_value_t = 5_000)]
    pages: usize,
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
    pub fn scenario(&self) -> Result<Amended> {
        let Self { messages, members, emojis, pages, turns, body, .. } = *self;
        if messages < PAGE || members < 2 || !(1..=EMOJIS.len()).contains(&emojis) {
            bail!("give --messages of {PAGE} or more, --members of 2 or more, and --emojis of 1 to {}", EMOJIS.len());
        }
        if pages == 0 || turns == 0 || self.connections.contains(&0) {
            bail!("give at least one of --pages, --turns and --connections");
        }
        Ok(Amended { messages, members, emojis, body, connections: self.connections.clone(), pages, turns })
    }
}
