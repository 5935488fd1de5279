//! From the command line to what is printed.

use anyhow::{Context, Result};

use crate::cli::{Cli, Command, Common};
use crate::report::{Report, Table, drawing, page};
use crate::target::{Launch, Server, Target, describe, pin_self, prepare, raise_open_files};
use crate::{compare, fill, ledger, scale, scenarios};

/// What a command found, and whether nothing was lost that must not be.
pub type Found = (Vec<Table>, bool);

/// Does what the command line says. False where something was lost that must not be.
///
/// # Errors
/// It could not be done.
pub fn run(cli: &Cli) -> Result<bool> {
    let common = &cli.common;
    raise_open_files();
    if !common.no_pin {
        pin_self();
    }
    let (tables, sound) = match &cli.command {
        Command::Chat(args) => scenarios::chat::command(common, args)?,
        Command::Idle(args) => scenarios::idle::command(common, args)?,
        Command::Rooms(args) => scenarios::rooms::command(common, args)?,
        Command::Resume(args) => scenarios::resume::command(common, args)?,
        Command::History(args) => scenarios::history::command(common, args)?,
        Command::Search(args) => scenarios::search::command(common, args)?,
        Command::Fill(args) => fill::command(common, args)?,
        Command::Compare(args) => compare::command(common, args)?,
        Command::Ledger(args) => ledger::command(common, args)?,
        Command::Jitter(args) => scenarios::jitter::command(common, args)?,
        Command::Scale(args) => scale::command(args)?,
    };
    let report = Report { command: command_line(), machine: describe(), tables };
    if common.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.markdown());
    }
    if let Some(file) = &common.report {
        let drawn = file.extension().is_some_and(|kind| kind == "svg");
        std::fs::write(file, if drawn { drawing(&report) } else { page(&report) })
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(sound)
}

/// The command that gives the same again.
pub fn command_line() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p bench -- {}", words.join(" "))
}

/// A server under test: the one that runs, or one that this starts and ends.
pub struct Tested {
    /// How to reach it.
    pub target: Target,
    _server: Option<(Server, tempfile::TempDir)>,
}

/// The server that the command line names; `adjust` may change how it is started.
///
/// # Errors
/// It cannot be started.
pub fn tested(common: &Common, name: &str, adjust: impl FnOnce(&mut Launch)) -> Result<Tested> {
    if let Some(addr) = &common.addr {
        return Ok(Tested { target: Target::running(addr, &common.pid, &common.secret)?, _server: None });
    }
    prepare(name, common.guild.as_deref())?;
    let folder = tempfile::Builder::new().prefix("guild-bench-").tempdir()?;
    let mut launch = Launch::new(name, folder.path());
    launch.guild.clone_from(&common.guild);
    launch.pin = !common.no_pin;
    adjust(&mut launch);
    let server = Server::start(launch)?;
    Ok(Tested { target: server.target(), _server: Some((server, folder)) })
}
