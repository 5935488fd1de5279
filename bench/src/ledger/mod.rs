//! `ledger`: faults every few seconds; then every message is accounted for.
//!
//! `plan` draws the faults for a `topology` of the service, `faults` has them done in time, and `deployments` are that topology at work, with its
//! `proxy` and `disk`; `clients` are the users, in the rooms of `world`; `accounts` is told what happens and, at the end, what `read_back`
//! finds in the log; `table` says what came of it, and `document` keeps it.

mod accounts;
mod bodies;
mod churn;
mod clients;
mod deployments;
mod disk;
mod document;
mod events;
mod fault_events;
mod faults;
mod plan;
mod proxy;
mod read_back;
mod rest;
mod table;
mod timeline;
mod topology;
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::Events;

use crate::net::Net;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::target::{Launch, describe};
use clients::Clients;
use deployments::{Cluster, Deployment, Single};
use fault_events::FaultEvent;
use faults::Faults;
use plan::Fault;
use read_back::Reading;
use table::Outcome;
use world::World;

pub use plan::Until;
pub use topology::Topology;

/// A run of it.
#[derive(Clone, Debug)]
pub struct LedgerRun {
    /// What faults are done to.
    pub topology: Topology,
    /// What everything is drawn from: the same seed is the same plan of faults.
    pub seed: u64,
    /// Seconds from one fault to the next, about.
    pub every: f64,
    /// When it ends.
    pub until: Until,
    /// Messages a second, all users together.
    pub rate: u32,
    /// Users.
    pub users: usize,
    /// Rooms, of 2 to 20 members.
    pub rooms: usize,
    /// How many messages must be acknowledged, or the run proves nothing; without it a tenth of what the rate would give.
    pub least: Option<u64>,
    /// The document that the tables are written into, between its marks.
    pub write: Option<PathBuf>,
}

/// How long the server may need, after the last fault, to settle and deliver everything.
const DRAIN: Duration = Duration::from_secs(90);

impl Scenario for LedgerRun {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn needs(&self) -> Needs {
        Needs::OwnServer("kills it")
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        if setup.server != "guild" {
            bail!("the ledger is about our own server: leave --server away");
        }
        if let Some(file) = &self.write {
            self.topology.marks().look(file)?;
        }
        let folder = tempfile::Builder::new().prefix("guild-ledger-").tempdir()?;
        let outcome = run(self, setup.launch(folder.path()));
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
        if let Some(file) = &self.write {
            let report = Report { command: setup.command.clone(), machine: describe(), tables: tables.clone() };
            self.topology.marks().write(file, &report.markdown())?;
        }
        Ok(Found { tables, sound: complaints.is_empty() })
    }
}

fn run(asked: &LedgerRun, launch: Launch) -> Result<Outcome> {
    let seed = asked.seed;
    let plan = plan::plan(seed, Duration::from_secs_f64(asked.every), asked.until, asked.topology.menu());
    eprintln!("ledger: seed {seed}, {} faults in about {} s", plan.len(), plan::length(&plan).as_secs());
    let deployment: Arc<dyn Deployment> = match asked.topology {
        Topology::Single => Arc::new(Single::start(launch, seed)?),
        Topology::Cluster => Arc::new(Cluster::start(launch, seed)?),
    };
    account(asked, plan, &deployment)
}

/// The users' talk, the faults, and what came of them.
fn account(asked: &LedgerRun, plan: Vec<Fault>, deployment: &Arc<dyn Deployment>) -> Result<Outcome> {
    let &LedgerRun { topology, seed, users, rooms, rate, .. } = asked;
    let (kills, of) = (plan::kills_of(&plan) as u64, plan.len() as u64);
    let least = asked.least.unwrap_or_else(|| plan::length(&plan).as_secs() * u64::from(rate) / 10);
    let target = deployment.target();
    let mut net = Net::new(deployment.proxy().addr)?;
    let world = World::draw(seed, users, rooms);
    let mut clients = Clients::new(&target, world, seed, f64::from(rate));
    clients.begin(&mut net)?;
    deployment.look()?;

    let calm = Arc::new(AtomicBool::new(true));
    let began = Instant::now();
    let faults = Faults::begin(plan, Arc::clone(deployment), Arc::clone(&calm))?;
    let not_started = endure(&mut clients, &mut net, faults, of, &calm)?;
    let seconds = began.elapsed().as_secs_f64();
    Reading::open(&target)?.heads(&clients.world, &mut clients.ledger)?;
    drain(&mut clients, &mut net)?;
    net.cut_all();
    // Over a connection of its own: the server ends one that says nothing while everybody drains.
    Reading::open(&target)?.log(&clients.world, &mut clients.ledger)?;
    let totals = clients.ledger.close();
    let check = deployment.check()?;
    clients.ledger.problems().iter().for_each(|problem| eprintln!("ledger: {problem}"));
    clients.lost.iter().for_each(|(why, count)| eprintln!("ledger: {count} connections lost: {why}"));
    not_started.iter().for_each(|why| eprintln!("ledger: a server did not start at once: {why}"));
    Ok(Outcome {
        seed,
        topology,
        seconds,
        size: (users, rooms),
        totals,
        changes: clients.ledger.change_totals(),
        codes: clients.ledger.codes().clone(),
        timeline: clients.timeline,
        rounds: clients.churn.rounds,
        given_up: clients.given_up,
        lost: clients.lost.values().sum(),
        errors: clients.errors,
        cuts: deployment.proxy().cuts(),
        not_started: not_started.len(),
        check,
        least,
        kills,
    })
}

/// Lets the users talk while the faults last and until the service is back after the last of them, and then waits until everything has
/// arrived. Answers why a server did not start at once, each time that one did not.
fn endure(clients: &mut Clients, net: &mut Net, faults: Faults, of: u64, calm: &AtomicBool) -> Result<Vec<String>> {
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
        progress.at(count, || format!("{count} faults, {acked} acked, {} connected", clients.virtual_users.ready()));
    }
    faults.end()?;
    drain(clients, net)?;
    progress.done("everything is said");
    Ok(not_started)
}

fn take_notes(faults: &Faults, clients: &mut Clients, not_started: &mut Vec<String>) {
    for note in faults.notes.try_iter() {
        match note {
            FaultEvent::Began(number, kind, at) => clients.timeline.began(number, kind, at),
            FaultEvent::Ended(number, at) => clients.timeline.ended(number, at),
            FaultEvent::NotStarted(why) => not_started.push(why),
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
