//! `bench idle`.

use super::common::seconds;
use crate::scenarios::idle::Idle;

/// Of `idle`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Once more with as many as the machine lets a process have files open.
    #[arg(long)]
    most: bool,
    /// Seconds for which they are watched; a heartbeat comes every 25 s.
    #[arg(long, default_value_t = 30.0, value_parser = seconds)]
    seconds: f64,
    /// Seconds until memory is read, before (twice) and after; by default 3, or as long as they are watched if that is less.
    #[arg(long, value_parser = seconds)]
    settle: Option<f64>,
    /// How many are on their way in at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
}

impl Args {
    /// What was asked for.
    pub fn scenario(&self) -> Idle {
        Idle {
            connections: self.connections as usize,
            most: self.most,
            seconds: self.seconds,
            settle: self.settle.unwrap_or_else(|| self.seconds.min(3.0)),
            at_once: self.at_once as usize,
        }
    }
}
