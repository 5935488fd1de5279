//! `bench compare`.

use crate::compare::Compare;
use crate::target::PEERS;

/// Which servers, how often and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The peers, with commas; those that cannot be had here are left out, and why is said.
    #[arg(long, value_delimiter = ',', default_values_t = PEERS.map(str::to_owned))]
    peers: Vec<String>,
    /// How often each load is run on each server.
    #[arg(long, default_value_t = 3)]
    times: usize,
    /// Seconds to measure each time.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Users of each load.
    #[arg(long, default_value_t = 1_000)]
    users: usize,
    /// Connections of which the memory is measured.
    #[arg(long, default_value_t = 2_000)]
    connections: usize,
    /// Fails where a peer cannot be had.
    #[arg(long)]
    all: bool,
}

impl Args {
    /// What was asked for.
    pub fn scenario(&self) -> Compare {
        Compare {
            peers: self.peers.clone(),
            times: self.times,
            seconds: self.seconds,
            users: self.users,
            connections: self.connections,
            all: self.all,
        }
    }
}
