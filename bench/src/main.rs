//! Measures Guild Chat and servers like it, and keeps a ledger of what they lose. `bench --help` tells what it does.
//!
//! From above: `cli` makes a `scenario` of the arguments, and `run` runs it. `scenarios` are what can be measured, a file each; `ledger` is the faults
//! and the accounts, `compare` our server beside the peers, `scale` the sums behind docs/scaling.md. They stand on `setup` (which server), `seed`
//! (databases), `virtual_users` (who is on the sockets of `net`), `target` (the server under test) and `report` (what becomes of the figures).

mod cli;
mod compare;
mod json;
mod latency;
mod ledger;
mod net;
mod one_at_a_time;
mod progress;
mod random;
mod received;
mod report;
mod run;
mod scale;
mod scenario;
mod scenarios;
mod seed;
mod setup;
mod spread;
mod target;
mod virtual_users;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let ended = cli.command.scenario().and_then(|scenario| run::run(scenario.as_ref(), &cli.common.setup()?, &cli.common.output()));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        // What was found is not what must be: the tables say what.
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
