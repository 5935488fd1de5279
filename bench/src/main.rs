//! Measures Guild Chat and servers like it, and keeps a ledger of what they lose. `bench --help` tells what it does.
//!
//! `net` is the sockets, `crowd` the users on them, `target` the server under test; `scenarios` is what can be measured, a file each,
//! and `report` what becomes of the figures.

mod cli;
mod compare;
mod crowd;
mod fill;
mod latency;
mod ledger;
mod net;
mod progress;
mod random;
mod received;
mod report;
mod run;
mod scale;
mod scenarios;
mod single;
mod target;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run::run(&cli::Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        // What was found is not what must be: the tables say what.
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
