//! `bench search`.

use anyhow::{Result, bail};

use crate::scenarios::search::{BODY, Search};
use crate::seed::SeedPlan;

/// Of `search`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages in all, of words that are about as common as words are.
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Rooms of two, which have as many each.
    #[arg(long, default_value_t = 20_000)]
    rooms: usize,
    /// Users; without it as many as make everybody a member of 20 rooms.
    #[arg(long)]
    users: Option<usize>,
    /// Questions of each kind.
    #[arg(long, default_value_t = 500)]
    questions: usize,
    /// Makes the database anew even if it is there.
    #[arg(long)]
    fresh: bool,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be.
    pub fn scenario(&self) -> Result<Search> {
        let each = self.messages / self.rooms.max(1);
        if each == 0 || self.questions == 0 {
            bail!("give at least as many --messages as --rooms, and at least one of --questions");
        }
        Ok(Search { plan: SeedPlan::new(self.rooms, 2, each, self.users, BODY)?.in_words(), questions: self.questions, fresh: self.fresh })
    }
}
