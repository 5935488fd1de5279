//! `chat`: rooms in which one member sends, in a closed loop or at a fixed rate, and everybody receives.

mod load;

use anyhow::Result;

use crate::report::{Cell, Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::scenarios::traffic::Outcome;
use crate::setup::Setup;

pub use load::{Case, run};

/// One load after the other.
#[derive(Clone, Debug)]
pub struct Chat {
    /// The loads.
    pub cases: Vec<Case>,
}

impl Scenario for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let mut table = Table::new("Chat", &COLUMNS);
        let mut sound = true;
        for case in &self.cases {
            let tested = setup.start(&setup.server, |_| {})?;
            let outcome = run(&tested.target, case)?;
            sound &= outcome.missing == 0 && outcome.misplaced == 0;
            table.rows.push(row(&tested.target.name, case, &outcome));
            let refusal = outcome.refusal.as_ref();
            table.notes.extend(
                refusal.map(|refusal| format!("{} refused {} messages, the first with {refusal}", tested.target.name, outcome.refused)),
            );
        }
        Ok(Found { tables: vec![table], sound })
    }
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
