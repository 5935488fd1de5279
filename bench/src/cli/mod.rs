//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{compare, fill, ledger, scale, scenarios};

/// Measures Guild Chat and servers like it, and keeps a ledger of what they lose under faults.
///
/// Without --addr each command starts the server that it measures in a temporary folder, on the first core, and keeps itself on the
/// second. A server that runs elsewhere needs auth.mode jwt, the secret of --secret, and its limits at 0.
#[derive(Debug, Parser)]
#[command(name = "bench", version, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The server to start: guild, flask, node, oxide or limit.
    #[arg(long, global = true, default_value = "guild")]
    pub server: String,
    /// A server that runs already, such as 127.0.0.1:8080; with commas, gateways of one cluster, which share the connections.
    #[arg(long, global = true)]
    pub addr: Option<String>,
    /// Its process on this machine, for CPU and memory; with commas, all processes that share the work (its database, NATS, other services).
    #[arg(long, global = true, requires = "addr", value_delimiter = ',')]
    pub pid: Vec<u32>,
    /// Its auth.jwt.secret.
    #[arg(long, global = true, env = "GUILD_AUTH_JWT_SECRET", default_value = "", hide_env_values = true)]
    pub secret: String,
    /// The guild program, where cargo should not build it.
    #[arg(long, global = true, value_name = "PROGRAM")]
    pub guild: Option<PathBuf>,
    /// Writes what was found to standard output as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Writes what was found to this file: a page with charts (.html), or the charts alone (.svg).
    #[arg(long, global = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Lets server and generator run on any core.
    #[arg(long, global = true)]
    pub no_pin: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rooms in which one member sends and everybody receives: throughput, CPU, latencies.
    Chat(scenarios::chat::Args),
    /// Authenticated connections that do nothing: memory of each, connects a second.
    Idle(scenarios::idle::Args),
    /// A database of 1,000 rooms beside one of 1,000,000: latency, memory, time to connect.
    Rooms(scenarios::rooms::Args),
    /// 5,000 clients that are cut at once and come back with cursors while messages flow.
    Resume(scenarios::resume::Args),
    /// Pages of 50 messages over REST, from a database of five million.
    History(scenarios::history::Args),
    /// What is looked for among a million messages, by kinds of questions.
    Search(scenarios::search::Args),
    /// Makes a database with many rooms and messages, as `rooms` and `history` do for themselves.
    Fill(fill::Args),
    /// Our server beside the peers of bench/peers, in turns, as ratios.
    Compare(compare::Args),
    /// Faults every few seconds; then every message is accounted for.
    Ledger(ledger::Args),
    /// 1,000 clients whose connections are cut every 15 s: how much of what was sent arrives.
    Jitter(scenarios::jitter::Args),
    /// What a cluster for millions would need, from what was measured: sums, no load.
    Scale(scale::Args),
}

/// Reads a number of seconds: more than 0, and not more than a day.
///
/// # Errors
/// It is none.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    seconds.ok_or_else(|| "give a number of seconds, more than 0 and at most 86400".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_what_can_be_waited_for() {
        assert_eq!(seconds("0.3"), Ok(0.3));
        assert!(["0", "-1", "NaN", "inf", "1e9", "soon", ""].into_iter().all(|text| seconds(text).is_err()));
    }
}
