//! What every command takes, and how a number of seconds is read.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::run::Output;
use crate::setup::Setup;
use crate::target::Target;

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The server to start: guild, flask, node, oxide or limit.
    #[arg(long, global = true, default_value = "guild")]
    server: String,
    /// A server that runs already, such as 127.0.0.1:8080; with commas, gateways of one cluster, which share the connections.
    #[arg(long, global = true)]
    addr: Option<String>,
    /// Its process on this machine, for CPU and memory; with commas, all processes that share the work (its database, NATS, other services).
    #[arg(long, global = true, requires = "addr", value_delimiter = ',')]
    pid: Vec<u32>,
    /// Its auth.jwt.secret.
    #[arg(long, global = true, env = "GUILD_AUTH_JWT_SECRET", default_value = "", hide_env_values = true)]
    secret: String,
    /// The guild program, where cargo should not build it.
    #[arg(long, global = true, value_name = "PROGRAM")]
    guild: Option<PathBuf>,
    /// Writes what was found to standard output as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Writes what was found to this file: a page with charts (.html), or the charts alone (.svg).
    #[arg(long, global = true, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Lets server and generator run on any core.
    #[arg(long, global = true)]
    no_pin: bool,
}

impl Common {
    /// What a scenario is given.
    ///
    /// # Errors
    /// An address of `--addr` is none.
    pub fn setup(&self) -> Result<Setup> {
        let running = self.addr.as_deref().map(|addr| Target::running(addr, &self.pid, &self.secret)).transpose()?;
        let (server, guild) = (self.server.clone(), self.guild.clone());
        Ok(Setup { server, running, guild, pin: !self.no_pin, command: command_line() })
    }

    /// How what was found is told.
    pub fn output(&self) -> Output {
        Output { json: self.json, report: self.report.clone() }
    }
}

/// The command that gives the same again.
fn command_line() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p bench -- {}", words.join(" "))
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
