//! `ledger`: faults every few seconds; then every message is accounted for.
//!
//! `plan` draws the faults and `faults` does them, through `proxy` and `disk`; `clients` are the users, in the rooms of `world`;
//! `accounts` is told what happens and, at the end, what `read_back` finds in the log; `table` says what came of it.

mod accounts;
mod bodies;
mod churn;
mod clients;
mod disk;
mod events;
mod faults;
mod plan;
mod proxy;
mod read_back;
mod rest;
mod table;
mod timeline;
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use mio::Events;

use crate::cli::Common;
use crate::net::Net;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::{Found, command_line};
use crate::target::{Launch, Server, describe, prepare};
use clients::Clients;
use disk::Disk;
use faults::{Faults, Note, Stage};
use plan::{Kind, Until};
use proxy::Proxy;
use read_back::Reading;
use table::Outcome;
use world::World;

/// Of `ledger`. Without --kills and --seconds: 25 kills, and at least 100,000 acknowledged messages.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What everything is drawn from: the same seed is the same plan of faults. Printed, and drawn from the clock, where none is given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Ends after so many kills of the server.
    #[arg(long, conflicts_with = "seconds")]
    pub kills: Option<usize>,
    /// Ends after so many seconds of faults.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Seconds from one fault to the next, about.
    #[arg(long, default_value_t = 3.0)]
    pub every: f64,
    /// Messages a second, all users together; at most 3,000.
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(1..=3_000))]
    pub rate: u32,
    /// Users.
    #[arg(long, default_value_t = 240)]
    pub users: usize,
    /// Rooms, of 2 to 20 members.
    #[arg(long, default_value_t = 40)]
    pub rooms: usize,
    /// How many messages must be acknowledged, or the run proves nothing; by default a tenth of what the rate would give.
    #[arg(long)]
    pub least: Option<u64>,
    /// Every kind of fault, three kills, less than a minute: for the tests.
    #[arg(long, conflicts_with_all = ["kills", "seconds", "least"])]
    pub short: bool,
    /// Writes the tables into this document, between the lines `<!-- ledger -->` and `<!-- /ledger -->`.
    #[arg(long, value_name = "FILE.md")]
    pub write: Option<PathBuf>,
}

/// How long the server may need, after the last fault, to settle and deliver everything.
const DRAIN: Duration = Duration::from_secs(90);

/// Runs it.
///
/// # Errors
/// It could not be done.
pub fn command(common: &Common, args: &Args) -> Result<Found> {
    if common.addr.is_some() || common.server != "guild" {
        bail!("the ledger kills the server that it looks at, so it starts one of its own: leave out --addr and --server");
    }
    if let Some(file) = &args.write {
        table::look(file)?;
    }
    prepare("guild", common.guild.as_deref())?;
    let folder = tempfile::Builder::new().prefix("guild-ledger-").tempdir()?;
    let mut launch = Launch::new("guild", folder.path());
    launch.guild.clone_from(&common.guild);
    launch.pin = !common.no_pin;
    let outcome = run(args, launch);
    let complaints = outcome.as_ref().map(Outcome::complaints).unwrap_or_default();
    if outcome.is_err() || !complaints.is_empty() {
        eprintln!("the database and the server's log stay in {}", folder.keep().display());
    }
    let outcome = outcome?;
    let mut tables = outcome.tables();
    if let Some(last) = tables.last_mut() {
        let verdict = if complaints.is_empty() { "Sound.".to_owned() } else { format!("NOT SOUND: {}.", complaints.join("; ")) };
        last.notes.push(verdict);
    }
    if let Some(file) = &args.write {
        let report = Report { command: command_line(), machine: describe(), tables: tables.clone() };
        table::write(file, Some(&report.markdown()))?;
    }
    Ok((tables, complaints.is_empty()))
}

fn run(args: &Args, mut launch: Launch) -> Result<Outcome> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let seed = args.seed.unwrap_or(if args.short { SHORT_SEED } else { clock.into() });
    let (every, until) = if args.short { (SHORT_EVERY, Until::Kills(3)) } else { (args.every, args.until()) };
    let plan = plan::plan(seed, Duration::from_secs_f64(every), until);
    let (users, rooms, rate) = if args.short { (100, 20, 400) } else { (args.users, args.rooms, args.rate) };
    eprintln!("ledger: seed {seed}, {} faults in about {} s", plan.len(), plan::length(&plan).as_secs());
    let kills = plan.iter().filter(|fault| fault.kind == Kind::Kill).count() as u64;
    let least = args.least.unwrap_or(match (args.short, args.kills.is_some() || args.seconds.is_some()) {
        (false, false) => 100_000,
        _ => plan::length(&plan).as_secs() * u64::from(rate) / 10,
    });

    let (folder, database) = (launch.folder.clone(), launch.database());
    let disk = Disk::new(&folder, &database)?;
    launch.settings.extend(disk.settings());
    let server = Server::start(launch.clone())?;
    let target = server.target();
    let proxy = Arc::new(Proxy::start(target.addr, seed)?);
    let mut net = Net::new(proxy.addr)?;
    let world = World::draw(seed, users, rooms);
    let mut clients = Clients::new(&target, world, seed, f64::from(rate));
    clients.begin(&mut net)?;
    if !disk.is_in_use() {
        bail!("the server does not run on the disk that can fail: is it linked statically, or LD_PRELOAD not allowed?");
    }

    let calm = Arc::new(AtomicBool::new(true));
    let stage = Stage { proxy: Arc::clone(&proxy), disk, database, calm: Arc::clone(&calm) };
    let began = Instant::now();
    let of = plan.len() as u64;
    let (mut server, not_started) = endure(&mut clients, &mut net, Faults::begin(plan, server, stage)?, of, &calm)?;
    let seconds = began.elapsed().as_secs_f64();
    Reading::open(&target)?.heads(&clients.world, &mut clients.ledger)?;
    drain(&mut clients, &mut net)?;
    net.cut_all();
    // Over a connection of its own: the server ends one that says nothing while everybody drains.
    Reading::open(&target)?.log(&clients.world, &mut clients.ledger)?;
    let totals = clients.ledger.close();
    server.stop()?;
    let check = launch.check()?;
    clients.ledger.problems().iter().for_each(|problem| eprintln!("ledger: {problem}"));
    clients.lost.iter().for_each(|(why, count)| eprintln!("ledger: {count} connections lost: {why}"));
    not_started.iter().for_each(|why| eprintln!("ledger: the server did not start at once: {why}"));
    Ok(Outcome {
        seed,
        seconds,
        size: (users, rooms),
        totals,
        codes: clients.ledger.codes().clone(),
        timeline: clients.timeline,
        rounds: clients.churn.rounds,
        given_up: clients.given_up,
        lost: clients.lost.values().sum(),
        errors: clients.errors,
        cuts: proxy.cuts(),
        not_started: not_started.len(),
        check,
        least,
        kills,
    })
}

/// Of the short run.
const SHORT_SEED: u64 = 46;
/// Seconds from one of its faults to the next.
const SHORT_EVERY: f64 = 1.5;

impl Args {
    fn until(&self) -> Until {
        self.seconds.map_or_else(|| Until::Kills(self.kills.unwrap_or(25)), Until::Seconds)
    }
}

/// Lets the users talk while the faults last and until the service is back after the last of them, and then waits until everything has
/// arrived. Answers the server, and why it did not start at once, each time that it did not.
fn endure(clients: &mut Clients, net: &mut Net, faults: Faults, of: u64, calm: &AtomicBool) -> Result<(Server, Vec<String>)> {
    let mut events = Events::with_capacity(1_024);
    let mut not_started = Vec::new();
    let progress = Progress::new("ledger", of);
    let mut over_since = None;
    loop {
        // Asked before the notes are taken, so that the last fault's end is among them.
        let over = faults.is_over();
        take_notes(&faults, clients, &mut not_started);
        let since = over.then(|| *over_since.get_or_insert_with(Instant::now));
        // Only a new message shows that the service is back: everything older may be settled by now.
        if since.is_some_and(|since| clients.timeline.is_settled() || since.elapsed() > DRAIN) {
            break;
        }
        clients.turn(net, &mut events, true)?;
        calm.store(clients.timeline.is_settled(), Ordering::Relaxed);
        let (count, acked) = (clients.timeline.count(), clients.ledger.acked_count());
        progress.at(count, || format!("{count} faults, {acked} acked, {} connected", clients.crowd.ready()));
    }
    let server = faults.end()?;
    drain(clients, net)?;
    progress.done("everything is said");
    Ok((server, not_started))
}

fn take_notes(faults: &Faults, clients: &mut Clients, not_started: &mut Vec<String>) {
    for note in faults.notes.try_iter() {
        match note {
            Note::Began(number, kind, at) => clients.timeline.began(number, kind, at),
            Note::Ended(number, at) => clients.timeline.ended(number, at),
            Note::NotStarted(why) => not_started.push(why),
        }
    }
}

/// Lets everybody come in and get all that is known to be in the log; what has not come when the time is over is lost.
fn drain(clients: &mut Clients, net: &mut Net) -> Result<()> {
    let mut events = Events::with_capacity(1_024);
    let until = Instant::now() + DRAIN;
    while !(clients.is_drained() && clients.timeline.is_settled()) && Instant::now() < until {
        clients.turn(net, &mut events, false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_run_is_short_and_kills_a_server_whose_syncs_fail() {
        let plan = plan::plan(SHORT_SEED, Duration::from_secs_f64(SHORT_EVERY), Until::Kills(3));
        assert!(plan::length(&plan) < Duration::from_secs(30));
        assert_eq!(plan.iter().filter(|fault| fault.kind == Kind::Kill).count(), 3);
        let meets = |pair: &[plan::Fault]| pair[0].kind == Kind::SyncFails && pair[1].kind == Kind::Kill && pair[1].into_last.is_some();
        assert!(plan.windows(2).any(meets), "{plan:?}");
    }
}
