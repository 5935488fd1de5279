//! `bench jitter`.

use super::common::seconds;
use crate::random::Random;
use crate::scenarios::jitter::Jitter;

/// Of `jitter`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Clients whose connections are cut.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Of them, in one room; by default all (at most 1,000), as in what others publish.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    members: Option<u32>,
    /// Messages a second in each room, sent by a socket that is not cut.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Seconds of it.
    #[arg(long, default_value_t = 60.0, value_parser = seconds)]
    seconds: f64,
    /// Seconds after which a connection is cut, on average (exponential).
    #[arg(long, default_value_t = 15.0, value_parser = seconds)]
    every: f64,
    /// Seconds that its client is away, on average (from half of it to one and a half).
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    away: f64,
    /// Which connection is cut when; any by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Only clients that show no cursor: what is sent while they are away is lost to them.
    #[arg(long)]
    no_cursor: bool,
}

impl Args {
    /// What was asked for.
    pub fn scenario(&self) -> Jitter {
        Jitter {
            clients: self.clients,
            members: self.members.unwrap_or(self.clients.min(LARGEST_ROOM)),
            rate: self.rate,
            seconds: self.seconds,
            every: self.every,
            away: self.away,
            seed: self.seed.unwrap_or_else(Random::any_seed),
            with_cursor: !self.no_cursor,
        }
    }
}

/// Whom one call can make a room of.
const LARGEST_ROOM: u32 = 1_000;
