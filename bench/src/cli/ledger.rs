//! `bench ledger`.

use std::path::PathBuf;

use crate::ledger::{LedgerRun, Topology, Until};
use crate::random::Random;

/// Of `ledger`. Without --kills and --seconds: 25 kills, and at least 100,000 acknowledged messages.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What everything is drawn from: the same seed is the same plan of faults. Printed, and drawn from the clock, where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Ends after so many kills of the server.
    #[arg(long, conflicts_with = "seconds")]
    kills: Option<usize>,
    /// Ends after so many seconds of faults.
    #[arg(long)]
    seconds: Option<u64>,
    /// Seconds from one fault to the next, about.
    #[arg(long, default_value_t = 3.0)]
    every: f64,
    /// Messages a second, all users together; at most 3,000. 1,200 where none are given, 400 in a cluster.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_000))]
    rate: Option<u32>,
    /// Users.
    #[arg(long, default_value_t = 240)]
    users: usize,
    /// Rooms, of 2 to 20 members.
    #[arg(long, default_value_t = 40)]
    rooms: usize,
    /// How many messages must be acknowledged, or the run proves nothing; by default a tenth of what the rate would give.
    #[arg(long)]
    least: Option<u64>,
    /// Every kind of fault, three kills, less than a minute: for the tests.
    #[arg(long, conflicts_with_all = ["kills", "seconds", "least"])]
    short: bool,
    /// Two processes of each service over a PostgreSQL and a NATS of their own, and faults of all of these, instead of one process on SQLite.
    #[arg(long)]
    cluster: bool,
    /// Writes the tables into this document, between the lines `<!-- ledger -->` and `<!-- /ledger -->` (with --cluster, `ledger-cluster`).
    #[arg(long, value_name = "FILE.md")]
    write: Option<PathBuf>,
}

impl Args {
    /// What was asked for.
    pub fn scenario(&self) -> LedgerRun {
        let topology = if self.cluster { Topology::Cluster } else { Topology::Single };
        if self.short {
            return self.short_run(topology);
        }
        let usual = if self.cluster { 400 } else { 1_200 };
        let unbounded = self.kills.is_none() && self.seconds.is_none();
        LedgerRun {
            topology,
            seed: self.seed.unwrap_or_else(Random::any_seed),
            every: self.every,
            until: self.seconds.map_or_else(|| Until::Kills(self.kills.unwrap_or(25)), Until::Seconds),
            rate: self.rate.unwrap_or(usual),
            users: self.users,
            rooms: self.rooms,
            least: self.least.or((unbounded && topology == Topology::Single).then_some(100_000)),
            write: self.write.clone(),
        }
    }

    fn short_run(&self, topology: Topology) -> LedgerRun {
        let (seed, every, kills) = topology.short();
        LedgerRun {
            topology,
            seed: self.seed.unwrap_or(seed),
            every,
            until: Until::Kills(kills),
            rate: 400,
            users: 100,
            rooms: 20,
            least: None,
            write: self.write.clone(),
        }
    }
}
