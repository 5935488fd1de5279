//! `bench events`.

use anyhow::{Result, bail};

use crate::scenarios::events::{Events, MOST};

/// Of `events`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages of each of the two rooms; a cursor reaches back over 5,000, and over 20,000 events of all kinds.
    #[arg(long, default_value_t = 4_500)]
    messages: usize,
    /// Members of each, who read all at once.
    #[arg(long, default_value_t = 20)]
    members: usize,
    /// Events of a page, up to 500.
    #[arg(long, default_value_t = MOST)]
    page: usize,
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
    pub fn scenario(&self) -> Result<Events> {
        let Self { messages, members, page, turns, body } = *self;
        if !(1..=4_900).contains(&messages) || !(2..=100).contains(&members) || !(1..=MOST).contains(&page) || turns == 0 {
            bail!("give --messages of 1 to 4900, --members of 2 to 100, --page of 1 to {MOST}, and --turns of 1 or more");
        }
        Ok(Events { messages, members, page, turns, body })
    }
}
