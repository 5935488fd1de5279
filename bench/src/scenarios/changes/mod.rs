//! `changes`: edits, reactions and deletions beside plain sends, in rooms whose first member keeps so many outstanding. The kinds come in turns over the
//! same sockets, rooms and server.

mod kind;

use std::time::Duration;

use anyhow::Result;

use super::assembly::{Assembly, Work};
use crate::latency::Latency;
use crate::progress::Progress;
use crate::report::{Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::spread::{middle, ratios};
use crate::target::Target;
use kind::Kind;

/// Changes beside sends.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Rooms.
    pub rooms: usize,
    /// Members of each; the first one asks, all hear.
    pub members: usize,
    /// So many outstanding a room.
    pub window: usize,
    /// Sends, and as many edits, reactions and deletions, in each room and turn.
    pub each: usize,
    /// Turns that are measured; one more goes before them.
    pub turns: usize,
    /// Bytes of a message.
    pub body: usize,
}

/// After each kind, for what a server does behind its answers (the index of searches, checkpoints): it is counted as the CPU of that kind.
const REST: Duration = Duration::from_millis(500);

/// What a kind gave, a value a turn.
#[derive(Clone, Debug, Default)]
struct Series {
    acked: u64,
    missing: u64,
    misplaced: u64,
    per_second: Vec<f64>,
    cpu: Vec<f64>,
    /// Of this program, in hundredths of a core.
    own_cpu: Vec<f64>,
    took: Latency,
}

impl Scenario for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let tested = setup.start(&setup.server, |_| {})?;
        let series = measure(&tested.target, self)?;
        let sound = series.iter().all(|series| series.missing + series.misplaced == 0);
        Ok(Found { tables: vec![table(self, &series)], sound })
    }
}

/// By the kinds, in their order.
fn measure(target: &Target, changes: &Changes) -> Result<[Series; 4]> {
    let mut net = target.net()?;
    let mut assembly = Assembly::gather(&mut net, target, changes.rooms, changes.members, changes.body)?;
    let progress = Progress::new(format!("{}: changing messages", target.name), changes.turns as u64);
    let mut all: [Series; 4] = Default::default();
    for turn in 0..=changes.turns {
        // Every request takes a seq in its room, so all rooms are where the first one is.
        let base = assembly.head(0);
        for (kind, series) in Kind::ALL.iter().zip(&mut all) {
            let next = |_, n| (n < changes.each).then(|| kind.nth(n, base, changes.window));
            let work = assembly.work(&mut net, changes.window, REST, &next)?;
            series.take(&work, turn > 0);
        }
        progress.at(turn as u64, String::new);
    }
    progress.done("done");
    Ok(all)
}

impl Series {
    /// The first turn counts for what was lost, but is not measured: caches fill in it.
    fn take(&mut self, work: &Work, measured: bool) {
        self.missing += work.missing;
        self.misplaced += work.misplaced;
        if measured {
            self.acked += work.acked;
            self.per_second.push(work.acked_per_second());
            self.cpu.extend(work.spent.cpu_each(work.acked));
            self.own_cpu.push(work.spent.own_cpu / work.spent.seconds.max(1e-9) * 100.0);
            self.took.add_all(&work.took);
        }
    }
}

fn table(changes: &Changes, all: &[Series; 4]) -> Table {
    let columns = [
        column("kind", "what"),
        column("members", "room of"),
        column("window", "outstanding"),
        column("acked", "acked"),
        charted("acks_per_second", "acked/s"),
        column("acks_ratio", "acked/s, × sends"),
        charted("cpu_us_per_ack", "CPU µs/ack"),
        column("cpu_ratio", "a CPU second, × sends"),
        column("generator_cpu_percent", "generator CPU %"),
        column("ack_p50_ms", "ack p50 ms"),
        column("ack_p99_ms", "ack p99 ms"),
        column("missing", "missing"),
        column("misplaced", "out of order"),
    ];
    let mut table = Table::new("Changes of messages beside sends", &columns);
    let [sends, ..] = all;
    for (kind, series) in Kind::ALL.iter().zip(all) {
        table.rows.push(vec![
            kind.name().into(),
            changes.members.into(),
            changes.window.into(),
            series.acked.into(),
            middle(&series.per_second),
            ratios(&series.per_second, &sends.per_second),
            middle(&series.cpu),
            // Fewer microseconds are more a second.
            ratios(&sends.cpu, &series.cpu),
            middle(&series.own_cpu),
            series.took.cell(50.0),
            series.took.cell(99.0),
            series.missing.into(),
            series.misplaced.into(),
        ]);
    }
    table.notes.push(format!(
        "{} rooms, {} of each kind in each and turn, {} turns, the middle of each figure; ratios are within a turn: middle (least–most). Everything is \
         acknowledged, changes something and is heard by every member, in order, or it is missing. CPU has what the server does within {} ms after the \
         last answer.",
        changes.rooms,
        changes.each,
        changes.turns,
        REST.as_millis()
    ));
    table
}
