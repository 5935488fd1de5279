//! `chat`: rooms in which one member sends, in a closed loop or at a fixed rate, and everybody receives.

mod load;

use anyhow::Result;

use crate::cli::Common;
use crate::report::{Cell, Column, Table, charted, column};
use crate::run::{Found, tested};

pub use load::{Case, Outcome, Pace, run, tag};

/// One load, or all of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Members of a room. Without it: 2, 10, 100 and 1,000, with 1 and 8 outstanding and at a fixed rate each.
    #[arg(long)]
    pub members: Option<usize>,
    /// Rooms; by default 1,000 users in all.
    #[arg(long, requires = "members")]
    pub rooms: Option<usize>,
    /// Messages that each sender has outstanding.
    #[arg(long, requires = "members", conflicts_with = "rate")]
    pub window: Option<usize>,
    /// Messages a second, over all rooms.
    #[arg(long, requires = "members")]
    pub rate: Option<usize>,
    /// Seconds to measure, for each load.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    pub body: usize,
}

/// Users of one `chat` load, where no other number is given.
const USERS: usize = 1_000;

/// The fixed rates at which the prototypes were compared (measurements of 2026-11-22), by members of a room: so many messages a
/// second that a server of one core is busy, and none is saturated.
pub const RATES: [(usize, usize); 4] = [(2, 2_000), (10, 1_000), (100, 200), (1_000, 20)];

/// Runs the loads that the command line names.
///
/// # Errors
/// The server cannot be started, or fails under the load.
pub fn command(common: &Common, args: &Args) -> Result<Found> {
    let case = |members: usize, pace| Case {
        rooms: args.rooms.unwrap_or_else(|| (USERS / members.max(1)).max(1)),
        members,
        pace,
        seconds: args.seconds,
        body: args.body,
    };
    let cases: Vec<Case> = match (args.members, args.rate) {
        (Some(members), Some(rate)) => vec![case(members, Pace::Rate(rate))],
        (Some(members), None) => vec![case(members, Pace::Window(args.window.unwrap_or(8)))],
        (None, _) => RATES
            .iter()
            .flat_map(|(members, rate)| [Pace::Window(1), Pace::Window(8), Pace::Rate(*rate)].map(|pace| case(*members, pace)))
            .collect(),
    };
    let mut table = Table::new("Chat", &COLUMNS);
    let mut sound = true;
    for case in cases {
        let tested = tested(common, &common.server, |_| {})?;
        let outcome = run(&tested.target, &case)?;
        sound &= outcome.missing == 0 && outcome.misplaced == 0;
        table.rows.push(row(&tested.target.name, &case, &outcome));
    }
    Ok((vec![table], sound))
}

/// The columns of [`row`].
pub const COLUMNS: [Column; 19] = [
    column("server", "server"),
    column("members", "room of"),
    column("load", "load"),
    charted("acks_per_second", "acked/s"),
    charted("deliveries_per_second", "delivered/s"),
    charted("deliveries_per_cpu_second", "delivered/CPU s"),
    charted("cpu_us_per_delivery", "CPU µs/delivery"),
    column("cpu_us_per_ack", "CPU µs/ack"),
    column("server_cpu_percent", "server CPU %"),
    column("generator_cpu_percent", "generator CPU %"),
    column("ack_p50_ms", "ack p50 ms"),
    charted("ack_p99_ms", "ack p99 ms"),
    column("ack_p999_ms", "ack p99.9 ms"),
    column("delivery_p50_ms", "delivery p50 ms"),
    column("delivery_p99_ms", "delivery p99 ms"),
    column("delivery_p999_ms", "delivery p99.9 ms"),
    column("acked", "acked"),
    column("missing", "missing"),
    column("misplaced", "out of order"),
];

/// A row of the table.
#[allow(clippy::cast_precision_loss)]
pub fn row(server: &str, case: &Case, outcome: &Outcome) -> Vec<Cell> {
    let per = |count: u64| count as f64 / outcome.seconds;
    let cpu = outcome.cpu.filter(|cpu| *cpu > 0.0);
    let each = |count: u64| Cell::maybe(cpu.filter(|_| count > 0).map(|cpu| cpu * 1e6 / count as f64));
    vec![
        server.into(),
        case.members.into(),
        Cell::Text(case.pace.to_string()),
        Cell::Number(per(outcome.acks), 0),
        Cell::Number(per(outcome.deliveries), 0),
        Cell::maybe(cpu.map(|cpu| outcome.deliveries as f64 / cpu)),
        each(outcome.deliveries),
        each(outcome.acks),
        cpu.map_or(Cell::Nothing, |cpu| Cell::Number(cpu / outcome.seconds * 100.0, 0)),
        Cell::Number(outcome.own_cpu / outcome.seconds * 100.0, 0),
        outcome.ack.cell(50.0),
        outcome.ack.cell(99.0),
        outcome.ack.cell(99.9),
        outcome.delivery.cell(50.0),
        outcome.delivery.cell(99.0),
        outcome.delivery.cell(99.9),
        outcome.acked.into(),
        outcome.missing.into(),
        outcome.misplaced.into(),
    ]
}
