//! The command line: a file for each command, which makes a scenario of its arguments.

mod amended;
mod changes;
mod chat;
mod common;
mod compare;
mod events;
mod fill;
mod history;
mod idle;
mod jitter;
mod ledger;
mod resume;
mod rooms;
mod scale;
mod search;
mod unread;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::scenario::Scenario;
use common::Common;

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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rooms in which one member sends and everybody receives: throughput, CPU, latencies.
    Chat(chat::Args),
    /// Edits, reactions and deletions beside plain sends, in turns over the same sockets.
    Changes(changes::Args),
    /// Authenticated connections that do nothing: memory of each, connects a second.
    Idle(idle::Args),
    /// A database of 1,000 rooms beside one of 1,000,000: latency, memory, time to connect.
    Rooms(rooms::Args),
    /// 5,000 clients that are cut at once and come back with cursors while messages flow.
    Resume(resume::Args),
    /// Pages of 50 messages over REST, from a database of five million.
    History(history::Args),
    /// Pages of messages that were edited and have reactions, beside pages of plain ones.
    Amended(amended::Args),
    /// A room's events by REST, beside a replay of the same.
    Events(events::Args),
    /// What is unread in a room with many messages and threads, beside a small one.
    Unread(unread::Args),
    /// What is looked for among a million messages, by kinds of questions.
    Search(search::Args),
    /// Makes a database with many rooms and messages, as `rooms` and `history` do for themselves.
    Fill(fill::Args),
    /// Our server beside the peers of bench/peers, in turns, as ratios.
    Compare(compare::Args),
    /// Faults every few seconds; then every message is accounted for.
    Ledger(ledger::Args),
    /// 1,000 clients whose connections are cut every 15 s: how much of what was sent arrives.
    Jitter(jitter::Args),
    /// What a cluster for millions would need, from what was measured: sums, no load.
    Scale(scale::Args),
}

impl Command {
    /// What it asks for.
    ///
    /// # Errors
    /// Its arguments ask for what cannot be.
    pub fn scenario(&self) -> Result<Box<dyn Scenario>> {
        Ok(match self {
            Self::Chat(args) => Box::new(args.scenario()),
            Self::Changes(args) => Box::new(args.scenario()?),
            Self::Idle(args) => Box::new(args.scenario()),
            Self::Rooms(args) => Box::new(args.scenario()?),
            Self::Resume(args) => Box::new(args.scenario()),
            Self::History(args) => Box::new(args.scenario()?),
            Self::Amended(args) => Box::new(args.scenario()?),
            Self::Events(args) => Box::new(args.scenario()?),
            Self::Unread(args) => Box::new(args.scenario()?),
            Self::Search(args) => Box::new(args.scenario()?),
            Self::Fill(args) => Box::new(args.scenario()?),
            Self::Compare(args) => Box::new(args.scenario()),
            Self::Ledger(args) => Box::new(args.scenario()),
            Self::Jitter(args) => Box::new(args.scenario()),
            Self::Scale(args) => Box::new(args.scenario()?),
        })
    }
}
