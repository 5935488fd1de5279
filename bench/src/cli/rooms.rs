//! `bench rooms`.

use anyhow::{Result, bail};

use crate::scenarios::rooms::{Course, Rooms};

/// Of `rooms`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rooms of the small database.
    #[arg(long, default_value_t = 1_000)]
    small: usize,
    /// Rooms of the large one.
    #[arg(long, default_value_t = 1_000_000)]
    large: usize,
    /// Messages in each room.
    #[arg(long, default_value_t = 3)]
    messages: usize,
    /// Visits to each, in turns.
    #[arg(long, default_value_t = 3)]
    times: usize,
    /// Connections that are made in each visit, by users who are in 20 rooms.
    #[arg(long, default_value_t = 500)]
    connects: usize,
    /// Rooms in which is talked, at most.
    #[arg(long, default_value_t = 1_000)]
    talking: usize,
    /// Messages a second at the fixed rate.
    #[arg(long, default_value_t = 2_000)]
    rate: usize,
    /// Seconds to measure, for the fixed rate and for the closed loop.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Makes the databases anew even if they are there.
    #[arg(long)]
    fresh: bool,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be.
    pub fn scenario(&self) -> Result<Rooms> {
        if self.times == 0 || self.rate == 0 {
            bail!("give --times and --rate of 1 or more");
        }
        Ok(Rooms {
            small: self.small,
            large: self.large,
            messages: self.messages,
            times: self.times,
            talking: self.talking,
            course: Course { connects: self.connects, rate: self.rate, seconds: self.seconds },
            fresh: self.fresh,
        })
    }
}
