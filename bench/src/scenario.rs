//! What can be run: a name, what it needs, and what it finds. It knows nothing of the command line.

use anyhow::Result;

use crate::report::Table;
use crate::setup::Setup;

/// Something that can be run.
pub trait Scenario {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// What has to be there.
    fn needs(&self) -> Needs;

    /// Runs it.
    ///
    /// # Errors
    /// It could not be done.
    fn run(&self, setup: &Setup) -> Result<Found>;
}

/// What has to be there for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// No server.
    Nothing,
    /// Any server: one that runs, or one that the scenario starts.
    AnyServer,
    /// Our own program, which the scenario starts itself, because it does this.
    OwnServer(&'static str),
}

/// What a run found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The figures.
    pub tables: Vec<Table>,
    /// Whether nothing was lost that must not be.
    pub sound: bool,
}

impl Found {
    /// Figures with nothing to be lost.
    pub fn figures(tables: Vec<Table>) -> Self {
        Self { tables, sound: true }
    }
}
