//! `bench resume`.

use super::common::seconds;
use crate::scenarios::resume::Resume;

/// Of `resume`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Receivers, all of which are cut.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Receivers of a room.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    members: u32,
    /// Messages a second, over all rooms in turn, sent by up to 50 more sockets that are not cut.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Seconds that they are away.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    away: f64,
    /// How many are on their way in at a time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
}

impl Args {
    /// What was asked for.
    pub fn scenario(&self) -> Resume {
        Resume { clients: self.clients, members: self.members, rate: self.rate, away: self.away, at_once: self.at_once }
    }
}
