//! `jitter`: what others publish. Clients on bad lines, each cut every 15 s or so and away for about 2 s, and how much of what was sent
//! meanwhile reaches them: with cursors, and as Socket.IO alone does it.

mod schedule;

use std::time::{Duration, Instant};

use anyhow::Result;

use super::audience::{Account, Audience, Counts, Plan};
use crate::progress::Progress;
use crate::report::{Cell, Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::target::{Dialect, Target, own_usage};
use schedule::{Act, Schedule};

/// Clients that are cut now and then.
#[derive(Clone, Debug)]
pub struct Jitter {
    /// Clients whose connections are cut.
    pub clients: u32,
    /// Of them, in one room.
    pub members: u32,
    /// Messages a second in each room, sent by a socket that is not cut.
    pub rate: u32,
    /// Seconds of it.
    pub seconds: f64,
    /// Seconds after which a connection is cut, on average (exponential).
    pub every: f64,
    /// Seconds that its client is away, on average (from half of it to one and a half).
    pub away: f64,
    /// Which connection is cut when.
    pub seed: u64,
    /// Whether clients with a cursor are measured too, beside those without: to these is lost what is sent while they are away.
    pub with_cursor: bool,
}

/// For what is still on its way at the end.
const DRAIN: Duration = Duration::from_secs(15);
/// More would be a queue of this program, and not of the server.
const AT_ONCE: usize = 1_000;

/// What a run gave.
#[derive(Clone, Debug, Default)]
struct Outcome {
    account: Account,
    counts: Counts,
    cuts: u64,
    seconds: f64,
    /// CPU seconds of the server and of this program, from the first message to the last.
    cpu: Option<f64>,
    own_cpu: f64,
}

impl Scenario for Jitter {
    fn name(&self) -> &'static str {
        "jitter"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let tested = setup.start(&setup.server, |_| {})?;
        let target = &tested.target;
        eprintln!("jitter: --seed {}", self.seed);
        let mut table = Table::new("Jitter", &COLUMNS);
        let mut sound = true;
        let with_cursor = target.dialect == Dialect::Guild && self.with_cursor;
        for cursor in [true, false].into_iter().filter(|cursor| with_cursor || !*cursor) {
            let outcome = storm(target, self, cursor)?;
            let counts = &outcome.counts;
            // Without a cursor a loss is what is shown.
            sound &= !cursor || (outcome.account.is_whole() && counts.not_resumed == 0 && counts.refused == 0);
            table.rows.push(row(target, self, cursor, &outcome));
        }
        table.notes.push(format!(
            "{} messages a second in each room for {} s; each connection is cut after {} s on average, and its client away for about {} s \
             (--seed {}). `live` is from due to received by who was there; what was missed comes by replay. \
             `ready too early` are returns whose `ready` came before all that was acknowledged when they began; what was left came right after it.",
            self.rate, self.seconds, self.every, self.away, self.seed
        ));
        Ok(Found { tables: vec![table], sound })
    }
}

fn storm(target: &Target, jitter: &Jitter, cursor: bool) -> Result<Outcome> {
    let clients = jitter.clients as usize;
    let members = jitter.members as usize;
    let rate = jitter.rate as usize * clients.div_ceil(members);
    let mut net = target.net()?;
    let mut audience = Audience::gather(&mut net, target, Plan { clients, members, rate, cursor, at_once: AT_ONCE })?;
    let mut schedule = Schedule::new(jitter.seed, clients, jitter.every, jitter.away);
    let (before, own_before) = (target.usage()?, own_usage()?);
    audience.begin();
    let lasts = Duration::from_secs_f64(jitter.seconds);
    let progress = Progress::new(format!("{}: jitter {}", target.name, way(target, cursor)), u64::try_from(lasts.as_micros())?);
    let mut cuts = 0;
    audience.flow(&mut net, Instant::now() + lasts, |all, net| {
        let now = all.now();
        while let Some((client, act)) = schedule.due(now) {
            match act {
                Act::Cut => {
                    cuts += 1;
                    all.cut(net, client);
                }
                Act::Return => all.let_in(client),
            }
        }
        progress.at(now, || format!("{cuts} cuts, {} delivered", all.counts.once));
        false
    })?;
    let (after, own_after) = (target.usage()?, own_usage()?);
    schedule.away().for_each(|client| audience.let_in(client));
    let account = audience.drain(&mut net, DRAIN)?;
    progress.done(&account.percent().map_or_else(String::new, |percent| format!("{percent:.3}% delivered")));
    let cpu = before.zip(after).map(|(before, after)| after.cpu - before.cpu);
    Ok(Outcome { account, counts: audience.counts, cuts, seconds: jitter.seconds, cpu, own_cpu: own_after.cpu - own_before.cpu })
}

/// What a client that comes back does.
fn way(target: &Target, cursor: bool) -> &'static str {
    match (target.dialect, cursor) {
        (Dialect::Guild, true) => "with cursor",
        (Dialect::Guild, false) => "without cursor",
        (Dialect::Peer, _) => "rejoins its room",
    }
}

const COLUMNS: [Column; 21] = [
    column("server", "server"),
    column("clients_are", "a client that comes back"),
    column("clients", "clients"),
    column("members", "rooms of"),
    column("cuts", "cuts"),
    column("acked", "acked"),
    column("due", "deliveries due"),
    charted("delivered_percent", "delivered %"),
    column("replayed", "by replay"),
    column("missing", "missing"),
    column("doubled", "doubled"),
    column("misplaced", "out of order"),
    column("refused", "refused"),
    column("resyncs", "resync"),
    column("early", "ready too early"),
    column("cut_by_server", "cut by server"),
    column("live_p50_ms", "live p50 ms"),
    column("live_p99_ms", "live p99 ms"),
    column("live_max_ms", "live max ms"),
    column("server_cpu_percent", "server CPU %"),
    column("generator_cpu_percent", "generator CPU %"),
];

fn row(target: &Target, jitter: &Jitter, cursor: bool, outcome: &Outcome) -> Vec<Cell> {
    let (account, counts) = (&outcome.account, &outcome.counts);
    vec![
        target.name.as_str().into(),
        way(target, cursor).into(),
        u64::from(jitter.clients).into(),
        u64::from(jitter.members).into(),
        outcome.cuts.into(),
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
        counts.live.cell(50.0),
        counts.live.cell(99.0),
        counts.live.cell(100.0),
        Cell::maybe(outcome.cpu.map(|cpu| cpu / outcome.seconds * 100.0)),
        Cell::number(outcome.own_cpu / outcome.seconds * 100.0),
    ]
}
