//! `scale`: from what this machine measured to what a cluster for millions would need. Sums, no load: every assumption is a flag, and
//! every constant stands in a table of docs/scaling.md.

mod assumptions;
mod constants;
mod predict;

use anyhow::Result;

use crate::report::{Cell, Column, Table, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use constants::Constants;
use predict::{Need, predict};

pub use assumptions::{Assumptions, USUAL};

/// The sums for some communities.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Their users.
    pub users: Vec<f64>,
    /// What is assumed of all of them.
    pub assumed: Assumptions,
}

impl Scenario for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn run(&self, _setup: &Setup) -> Result<Found> {
        let constants = Constants::of_docs()?;
        let mut measured = Table::new("Measured on one core", &[column("name", "what"), column("value", "value"), column("unit", "unit")]);
        measured.rows = constants.rows.iter().map(|row| named(row.what, row.value, row.unit)).collect();
        Ok(Found::figures(vec![self.predicted(&constants), self.assumed(), measured]))
    }
}

impl Scale {
    fn predicted(&self, constants: &Constants) -> Table {
        let mut table = Table::new("What so many users need at the daily peak", &COLUMNS);
        for users in &self.users {
            let need = predict(*users, &self.assumed, constants);
            table.rows.push(row(&need, need.beyond(&self.assumed, constants)));
        }
        table
    }

    fn assumed(&self) -> Table {
        let mut table = Table::new("Assumed", &[column("name", "flag"), column("value", "value"), column("meaning", "what it is")]);
        table.rows = self.assumed.named().into_iter().map(|(name, value, meaning)| named(&format!("--{name}"), value, meaning)).collect();
        table
    }
}

const COLUMNS: [Column; 14] = [
    column("users", "users"),
    column("connections", "connections"),
    column("messages_per_second", "messages/s"),
    column("deliveries_per_second", "deliveries/s"),
    column("gateways", "gateways"),
    column("messages_nodes", "messages"),
    column("users_nodes", "users"),
    column("nats_nodes", "NATS"),
    column("database_cores", "PostgreSQL cores"),
    column("databases", "primaries"),
    column("partitions", "partitions"),
    column("terabytes", "TB on disk"),
    column("month", "a month"),
    column("beyond", "beyond today's program"),
];

fn row(need: &Need, beyond: String) -> Vec<Cell> {
    let whole = |value: f64| Cell::Number(value, 0);
    let perhaps = |value: Option<f64>| value.map_or(Cell::Nothing, whole);
    vec![
        whole(need.users),
        whole(need.connections),
        whole(need.messages),
        whole(need.deliveries),
        perhaps(need.gateways),
        whole(need.messages_nodes),
        whole(need.users_nodes),
        perhaps(need.nats_nodes),
        whole(need.database_cores),
        whole(need.databases),
        whole(need.partitions),
        Cell::number(need.terabytes),
        perhaps(need.month),
        Cell::Text(beyond),
    ]
}

fn named(name: &str, value: f64, meaning: &str) -> Vec<Cell> {
    vec![name.into(), Cell::Number(value, usize::from(value.fract() != 0.0) * 2), meaning.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_sums_give() {
        let scale = Scale { users: vec![1e6, 1e7, 1e8], assumed: USUAL };
        for table in [scale.predicted(&Constants::of_docs().unwrap()), scale.assumed()] {
            for line in table.markdown().lines() {
                assert!(constants::PAGE.contains(line), "docs/scaling.md lacks this line, which `bench scale` prints: {line}");
            }
        }
    }
}
