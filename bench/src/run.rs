//! From a scenario to what is printed.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::report::{Report, drawing, page};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::target::{describe, pin_self, prepare, raise_open_files};

/// How what was found is told.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// As JSON, and not as tables, on standard output.
    pub json: bool,
    /// To this file too: a page with charts (.html), or the charts alone (.svg).
    pub report: Option<PathBuf>,
}

/// Runs it, and tells what it found. False where something was lost that must not be.
///
/// # Errors
/// It could not be done.
pub fn run(scenario: &dyn Scenario, setup: &Setup, output: &Output) -> Result<bool> {
    raise_open_files();
    if setup.pin {
        pin_self();
    }
    if let Needs::OwnServer(why) = scenario.needs() {
        if setup.running.is_some() {
            bail!("{} starts the server that it measures, because it {why}: leave --addr away", scenario.name());
        }
        prepare("guild", setup.guild.as_deref())?;
    }
    let Found { tables, sound } = scenario.run(setup)?;
    let report = Report { command: setup.command.clone(), machine: describe(), tables };
    if output.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.markdown());
    }
    if let Some(file) = &output.report {
        let drawn = file.extension().is_some_and(|kind| kind == "svg");
        std::fs::write(file, if drawn { drawing(&report) } else { page(&report) })
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(sound)
}
