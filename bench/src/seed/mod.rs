//! Databases with many rooms and messages, made by the services themselves: by `fill`, and by the scenarios that need one.

mod cache;
mod plan;
mod services;
mod words;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

pub use cache::{Copy, Seeded, seeded};
pub use plan::{SeedPlan, TOGETHER};
pub use words::word;

use crate::report::{Cell, Table, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;

/// A database to be made.
#[derive(Clone, Debug)]
pub struct Seed {
    /// What shall be in it.
    pub plan: SeedPlan,
    /// The file; without it one among those that are kept, where scenarios look.
    pub database: Option<PathBuf>,
    /// Whether it is made anew even if it is there.
    pub fresh: bool,
}

impl Scenario for Seed {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn run(&self, _setup: &Setup) -> Result<Found> {
        let began = Instant::now();
        let seeded = match &self.database {
            Some(file) => cache::seeded_at(self.plan, file.clone(), self.fresh)?,
            None => seeded(self.plan, self.fresh)?,
        };
        let columns = [
            column("file", "file"),
            column("rooms", "rooms"),
            column("messages", "messages"),
            column("users", "users"),
            column("mib", "MiB"),
            column("seconds", "s"),
        ];
        let mut table = Table::new("Filled", &columns);
        #[allow(clippy::cast_precision_loss)]
        let size = seeded.size() as f64 / 1_048_576.0;
        table.rows.push(vec![
            Cell::Text(seeded.file.display().to_string()),
            self.plan.rooms.into(),
            (self.plan.rooms * self.plan.messages).into(),
            self.plan.users.into(),
            Cell::number(size),
            Cell::number(began.elapsed().as_secs_f64()),
        ]);
        table.notes.push("The secret of its users' tokens is the benchmark's own; any other does as well.".to_owned());
        Ok(Found::figures(vec![table]))
    }
}
