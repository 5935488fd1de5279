//! `compare`: our server beside the peers of `bench/peers`: each load on every server in turn, several times over, so that what else
//! happens on the machine meets all of them; then the ratios within each turn, with their spread.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::report::{Cell, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::scenarios::chat::{self, Case};
use crate::scenarios::idle::{self, Idle};
use crate::scenarios::traffic::{Outcome, Pace};
use crate::setup::Setup;
use crate::spread::spread;
use crate::target::prepare;

/// Our server beside others.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The peers; those that cannot be had here are left out, and why is said.
    pub peers: Vec<String>,
    /// How often each load is run on each server.
    pub times: usize,
    /// Seconds to measure each time.
    pub seconds: f64,
    /// Users of each load.
    pub users: usize,
    /// Connections of which the memory is measured.
    pub connections: usize,
    /// Whether it fails where a peer cannot be had.
    pub all: bool,
}

const OURS: &str = "guild";

/// What a load gave on one server, a value a turn.
#[derive(Default)]
struct Series {
    case: Option<Case>,
    outcomes: Vec<Outcome>,
}

impl Scenario for Compare {
    fn name(&self) -> &'static str {
        "compare"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let mut notes = Vec::new();
        let mut servers = vec![OURS.to_owned()];
        prepare(OURS, setup.guild.as_deref())?;
        for peer in &self.peers {
            match prepare(peer, None) {
                Ok(()) => servers.push(peer.clone()),
                Err(error) if self.all => return Err(error),
                Err(error) => notes.push(format!("Left out: {error:#}")),
            }
        }
        let mut chats: BTreeMap<(usize, String), Series> = BTreeMap::new();
        let mut idles: BTreeMap<String, Vec<idle::Outcome>> = BTreeMap::new();
        let idle = Idle { connections: 0, most: false, seconds: 0.0, settle: 1.0, at_once: 64 };
        let mut sound = true;
        for turn in 1..=self.times {
            eprintln!("turn {turn} of {}", self.times);
            for place in 0..LOADS.len() {
                for server in &servers {
                    let Some(case) = case(self, place, server) else { continue };
                    let tested = setup.start(server, |_| {})?;
                    let outcome = chat::run(&tested.target, &case)?;
                    // A peer may lose something; that is in its row. We may not.
                    sound &= server != OURS || outcome.missing + outcome.misplaced == 0;
                    let series = chats.entry((place, server.clone())).or_default();
                    series.case = Some(case);
                    series.outcomes.push(outcome);
                }
            }
            for server in &servers {
                let tested = setup.start(server, |_| {})?;
                idles.entry(server.clone()).or_default().push(idle::measure(&tested.target, &idle, self.connections)?);
            }
        }
        let mut figures = figures(&servers, &chats, self);
        figures.notes.extend(notes);
        let ratios = ratios(&servers, &chats, &idles, self);
        Ok(Found { tables: vec![figures, memory(&servers, &idles, self), ratios], sound })
    }
}

/// Rooms of the closed loop on Flask: more outstanding at once than it can take, and it answers next to nothing.
const FLASK_ROOMS: usize = 50;

/// A load: members of a room, and how it is sent to everybody but Flask, and to Flask, which answers a tenth of it.
const LOADS: [(usize, Pace, Pace); 5] = [
    (2, Pace::Window(8), Pace::Window(4)),
    (2, Pace::Rate(2_000), Pace::Rate(200)),
    (10, Pace::Rate(1_000), Pace::Rate(100)),
    (100, Pace::Rate(200), Pace::Rate(50)),
    (1_000, Pace::Rate(20), Pace::Rate(10)),
];

fn case(compare: &Compare, place: usize, server: &str) -> Option<Case> {
    let (members, pace, of_flask) = LOADS.get(place).copied()?;
    let pace = if server == "flask" { of_flask } else { pace };
    let most = if server == "flask" && matches!(pace, Pace::Window(_)) { FLASK_ROOMS } else { usize::MAX };
    let rooms = (compare.users / members).min(most);
    (rooms > 0).then_some(Case { rooms, members, pace, seconds: compare.seconds, body: 100 })
}

type Chats = BTreeMap<(usize, String), Series>;
type Figure = fn(&Outcome) -> Option<f64>;

#[allow(clippy::cast_precision_loss)]
fn acked(outcome: &Outcome) -> Option<f64> {
    Some(outcome.acks as f64 / outcome.seconds)
}

#[allow(clippy::cast_precision_loss)]
fn cpu_a_delivery(outcome: &Outcome) -> Option<f64> {
    outcome.cpu.filter(|_| outcome.deliveries > 0).map(|cpu| cpu * 1e6 / outcome.deliveries as f64)
}

#[allow(clippy::cast_precision_loss)]
fn cpu_an_ack(outcome: &Outcome) -> Option<f64> {
    outcome.cpu.filter(|_| outcome.acks > 0).map(|cpu| cpu * 1e6 / outcome.acks as f64)
}

fn ack_p50(outcome: &Outcome) -> Option<f64> {
    outcome.ack.percentile(50.0)
}

fn ack_p99(outcome: &Outcome) -> Option<f64> {
    outcome.ack.percentile(99.0)
}

/// The middle of each figure, a row a server and load.
fn figures(servers: &[String], chats: &Chats, compare: &Compare) -> Table {
    let columns = [
        column("server", "server"),
        column("members", "room of"),
        column("load", "load"),
        charted("acks_per_second", "acked/s"),
        charted("cpu_us_per_ack", "CPU µs/ack"),
        charted("cpu_us_per_delivery", "CPU µs/delivery"),
        column("ack_p50_ms", "ack p50 ms"),
        charted("ack_p99_ms", "ack p99 ms"),
        column("missing", "missing"),
        column("misplaced", "out of order"),
    ];
    let title = format!("Durable chat, {} users, {} × {} s: the middle of each figure", compare.users, compare.times, compare.seconds);
    let mut table = Table::new(title, &columns);
    for place in 0..LOADS.len() {
        for server in servers {
            let Some(Series { case: Some(case), outcomes }) = chats.get(&(place, server.clone())) else { continue };
            let middle = |figure: Figure| Cell::maybe(spread(outcomes.iter().filter_map(figure)).map(|spread| spread.middle));
            table.rows.push(vec![
                Cell::Text(server.clone()),
                case.members.into(),
                Cell::Text(case.pace.to_string()),
                middle(acked),
                middle(cpu_an_ack),
                middle(cpu_a_delivery),
                middle(ack_p50),
                middle(ack_p99),
                outcomes.iter().map(|outcome| outcome.missing).sum::<u64>().into(),
                outcomes.iter().map(|outcome| outcome.misplaced).sum::<u64>().into(),
            ]);
        }
    }
    table.notes.push("Acknowledged means committed to SQLite with synchronous=FULL, on every server.".to_owned());
    table
}

fn memory(servers: &[String], idles: &BTreeMap<String, Vec<idle::Outcome>>, compare: &Compare) -> Table {
    let columns =
        [column("server", "server"), charted("bytes_each", "bytes a connection"), charted("connects_per_cpu_second", "connects/CPU s")];
    let mut table = Table::new(format!("{} idle connections: the middle of each figure", compare.connections), &columns);
    for server in servers {
        let Some(outcomes) = idles.get(server) else { continue };
        let middle = |figure: fn(&idle::Outcome) -> Option<f64>| spread(outcomes.iter().filter_map(figure)).map(|spread| spread.middle);
        let whole = |value: Option<f64>| value.map_or(Cell::Nothing, |value| Cell::Number(value, 0));
        table.rows.push(vec![
            Cell::Text(server.clone()),
            whole(middle(idle::Outcome::bytes_each)),
            whole(middle(idle::Outcome::connects_per_cpu_second)),
        ]);
    }
    table
}

/// How many times better ours is, in each turn; a row a peer and load.
fn ratios(servers: &[String], chats: &Chats, idles: &BTreeMap<String, Vec<idle::Outcome>>, compare: &Compare) -> Table {
    let columns = [
        column("server", "guild beside"),
        column("members", "room of"),
        column("load", "load"),
        column("acks_ratio", "acked/s, ×"),
        column("cpu_ratio", "CPU/delivery, ×"),
        column("p99_ratio", "ack p99, ×"),
    ];
    let mut table = Table::new("How many times better than each peer, within a turn: middle (least–most)", &columns);
    let words = |values: Vec<f64>| spread(values).map_or(Cell::Nothing, |spread| Cell::Text(spread.words()));
    for server in servers.iter().skip(1) {
        for place in 0..LOADS.len() {
            let of = |server: &str| chats.get(&(place, server.to_owned()));
            let (Some(ours), Some(theirs)) = (of(OURS), of(server)) else { continue };
            let Some(case) = theirs.case else { continue };
            let ratio = |figure: Figure, more_is_better: bool| {
                let pairs = ours.outcomes.iter().zip(&theirs.outcomes);
                let ratios = pairs.filter_map(|(ours, theirs)| Some(figure(ours)? / figure(theirs)?));
                words(ratios.map(|ratio| if more_is_better { ratio } else { 1.0 / ratio }).collect())
            };
            let closed = matches!(case.pace, Pace::Window(_));
            table.rows.push(vec![
                Cell::Text(server.clone()),
                case.members.into(),
                Cell::Text(case.pace.to_string()),
                if closed { ratio(acked, true) } else { Cell::Nothing },
                ratio(cpu_a_delivery, false),
                if closed { Cell::Nothing } else { ratio(ack_p99, false) },
            ]);
        }
        let pairs = idles.get(OURS).into_iter().flatten().zip(idles.get(server).into_iter().flatten());
        let memory = pairs.filter_map(|(ours, theirs)| Some(theirs.bytes_each()? / ours.bytes_each()?)).collect();
        table.notes.push(format!("Memory of a connection, {server} to ours: {}.", words(memory).shown()));
    }
    table.notes.push(format!(
        "More than 1 is better than the peer. {} turns; each row compares runs that followed one another. Flask has 50 rooms in the closed loop and is sent a \
         tenth of what the others are at a rate, which is what it answers: its ratios of CPU hold, those of its latencies flatter it.",
        compare.times
    ));
    table
}
