//! `resume`: receivers by the thousand are cut at once while messages flow, come back with their cursors, and must get what they missed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::audience::{Account, Audience, Counts, Plan};
use crate::progress::Progress;
use crate::report::{Cell, Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::target::{Dialect, Target, Usage, own_usage};

/// Clients that are cut at once.
#[derive(Clone, Debug)]
pub struct Resume {
    /// Receivers, all of which are cut.
    pub clients: u32,
    /// Receivers of a room.
    pub members: u32,
    /// Messages a second, over all rooms in turn, sent by up to 50 more sockets that are not cut.
    pub rate: u32,
    /// Seconds that they are away.
    pub away: f64,
    /// How many are on their way in at a time.
    pub at_once: u32,
}

/// Messages flow for so long before the cut, and after all are back.
const CALM: Duration = Duration::from_secs(1);
/// Whoever is not back by then is said to be lost.
const STORM: Duration = Duration::from_secs(120);
/// For what is still on its way at the end.
const DRAIN: Duration = Duration::from_secs(30);

/// What the storm gave.
#[derive(Clone, Debug, Default)]
struct Outcome {
    account: Account,
    counts: Counts,
    /// Seconds from the first attempt until so many were back.
    most: f64,
    all: f64,
    /// CPU seconds meanwhile, of the server and of this program.
    cpu: Option<f64>,
    own_cpu: f64,
}

impl Scenario for Resume {
    fn name(&self) -> &'static str {
        "resume"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let tested = setup.start(&setup.server, |_| {})?;
        if tested.target.dialect != Dialect::Guild {
            bail!("{} has no cursors to resume from; jitter tells what its clients lose", tested.target.name);
        }
        let outcome = storm(&tested.target, self)?;
        let counts = &outcome.counts;
        let sound = outcome.account.is_whole() && counts.not_resumed == 0 && counts.refused == 0;
        let mut table = Table::new("Resume", &COLUMNS);
        table.rows.push(row(&tested.target.name, self, &outcome));
        table.notes.push(format!(
            "All clients are cut at once, away for {} s, and then come back, {} at a time. A client is back at its `ready`, which follows all \
             that it missed; `ready too early` are those that had not all then that was acknowledged when they were let in, and are back once \
             they have. Latencies are of messages that were due from the first attempt until all were back: `live` of those received by \
             who was back already. CPU is of the same time.",
            self.away, self.at_once
        ));
        Ok(Found { tables: vec![table], sound })
    }
}

fn storm(target: &Target, resume: &Resume) -> Result<Outcome> {
    let clients = resume.clients as usize;
    let plan =
        Plan { clients, members: resume.members as usize, rate: resume.rate as usize, cursor: true, at_once: resume.at_once as usize };
    let mut net = target.net()?;
    let mut audience = Audience::gather(&mut net, target, plan)?;
    audience.begin();
    audience.watched = u64::MAX..u64::MAX;
    audience.flow(&mut net, Instant::now() + CALM, |_, _| false)?;
    (0..clients).for_each(|client| audience.cut(&mut net, client));
    audience.flow(&mut net, Instant::now() + Duration::from_secs_f64(resume.away), |_, _| false)?;

    let (before, own_before) = used(target)?;
    (0..clients).for_each(|client| audience.let_in(client));
    let first = audience.now();
    audience.watched = first..u64::MAX;
    let progress = Progress::new(format!("{}: {clients} come back", target.name), clients as u64);
    let everybody = audience.virtual_users.users.len();
    let back = audience.flow(&mut net, Instant::now() + STORM, |all, _| {
        let away = everybody - all.virtual_users.ready() + all.behind.len();
        progress.at(clients.saturating_sub(away) as u64, || format!("{} replayed", all.counts.replayed));
        away == 0
    })?;
    audience.watched.end = audience.now();
    let (after, own_after) = used(target)?;
    if !back {
        bail!("only {} of {everybody} were in again after {} s", audience.virtual_users.ready(), STORM.as_secs());
    }
    let (most, all) = spread(&audience.back, first);
    progress.done(&format!("{all:.2} s"));

    audience.flow(&mut net, Instant::now() + CALM, |_, _| false)?;
    let account = audience.drain(&mut net, DRAIN)?;
    let cpu = before.zip(after).map(|(before, after)| after.cpu - before.cpu);
    Ok(Outcome { account, counts: audience.counts, most, all, cpu, own_cpu: own_after.cpu - own_before.cpu })
}

fn used(target: &Target) -> Result<(Option<Usage>, Usage)> {
    Ok((target.usage()?, own_usage()?))
}

/// Seconds from `first` until 95 in 100 were back, and until all were.
fn spread(back: &[u64], first: u64) -> (f64, f64) {
    let mut back = back.to_vec();
    back.sort_unstable();
    let at = |place: usize| {
        let micros = place.checked_sub(1).and_then(|place| back.get(place)).map_or(0, |back| back.saturating_sub(first));
        Duration::from_micros(micros).as_secs_f64()
    };
    (at((back.len() * 95).div_ceil(100)), at(back.len()))
}

const COLUMNS: [Column; 24] = [
    column("server", "server"),
    column("clients", "clients"),
    column("members", "rooms of"),
    column("rate", "messages/s"),
    charted("seconds_95", "95% back s"),
    charted("seconds_100", "100% back s"),
    column("acked", "acked"),
    column("due", "deliveries due"),
    column("delivered_percent", "delivered %"),
    column("replayed", "replayed"),
    column("missing", "missing"),
    column("doubled", "doubled"),
    column("misplaced", "out of order"),
    column("refused", "refused"),
    column("resyncs", "resync"),
    column("early", "ready too early"),
    column("cut_by_server", "cut by server"),
    column("server_cpu_seconds", "server CPU s"),
    column("cpu_us_per_client", "CPU µs/client"),
    column("generator_cpu_percent", "generator CPU %"),
    column("ack_p50_ms", "ack p50 ms"),
    charted("ack_p99_ms", "ack p99 ms"),
    column("live_p50_ms", "live p50 ms"),
    charted("live_p99_ms", "live p99 ms"),
];

fn row(server: &str, resume: &Resume, outcome: &Outcome) -> Vec<Cell> {
    let (account, counts) = (&outcome.account, &outcome.counts);
    vec![
        server.into(),
        u64::from(resume.clients).into(),
        u64::from(resume.members).into(),
        u64::from(resume.rate).into(),
        Cell::number(outcome.most),
        Cell::number(outcome.all),
        counts.acked.into(),
        account.due.into(),
        account.percent().map_or(Cell::Nothing, |percent| Cell::Number(percent, 3)),
        counts.replayed.into(),
        account.missing.into(),
        account.doubled.into(),
        account.misplaced.into(),
        counts.refused.into(),
        counts.not_resumed.into(),
        counts.early.into(),
        counts.lost.into(),
        Cell::maybe(outcome.cpu),
        outcome.cpu.map_or(Cell::Nothing, |cpu| Cell::Number(cpu * 1e6 / f64::from(resume.clients), 0)),
        Cell::Number(outcome.own_cpu / outcome.all.max(1e-3) * 100.0, 0),
        counts.ack.cell(50.0),
        counts.ack.cell(99.0),
        counts.live.cell(50.0),
        counts.live.cell(99.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_decide() {
        let back: Vec<u64> = (1..=100).map(|client| 1_000_000 + client * 10_000).rev().collect();
        assert_eq!(spread(&back, 1_000_000), (0.95, 1.0));
        assert_eq!(spread(&[3_000_000], 1_000_000), (2.0, 2.0));
        assert_eq!(spread(&[], 0), (0.0, 0.0));
    }
}
