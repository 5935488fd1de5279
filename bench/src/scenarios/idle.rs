//! `idle`: authenticated connections that do nothing: memory of each, connects a second, and what their heartbeats cost.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::Events;

use crate::latency::Latency;
use crate::net::{Heard, Hears, Net};
use crate::progress::Progress;
use crate::report::{Cell, Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::target::{Target, Usage, open_files, own_usage};
use crate::virtual_users::{Step, VirtualUsers, tag};

/// Connections that do nothing.
#[derive(Clone, Debug)]
pub struct Idle {
    /// Connections, each of a user of its own.
    pub connections: usize,
    /// Once more with as many as the machine lets a process have files open.
    pub most: bool,
    /// Seconds for which they are watched; a heartbeat comes every 25 s.
    pub seconds: f64,
    /// Seconds until memory is read, before (twice) and after.
    pub settle: f64,
    /// How many are on their way in at a time.
    pub at_once: usize,
}

/// Files of a server, or of this program, that are no connections: libraries, logs, the database and its readers.
const OTHER_FILES: usize = 200;

/// What a run gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    connections: usize,
    /// Everybody gets in for the first time, which makes the users.
    first: Entry,
    /// And again, once all were cut.
    again: Entry,
    /// The server before and after, where its process is known.
    memory: Option<(Usage, Usage)>,
    /// CPU of the server and of this program while all were idle, of 1.
    idle_cpu: Option<f64>,
    own_idle_cpu: f64,
    heartbeats: u64,
    lost: usize,
}

#[allow(clippy::cast_precision_loss)]
impl Outcome {
    /// Bytes of the server's resident memory that a connection has added.
    pub fn bytes_each(&self) -> Option<f64> {
        self.memory.map(|(before, after)| (after.resident as f64 - before.resident as f64) / self.connections as f64)
    }

    /// Of users who come for the first time.
    pub fn connects_per_cpu_second(&self) -> Option<f64> {
        self.first.cpu.filter(|cpu| *cpu > 0.0).map(|cpu| self.connections as f64 / cpu)
    }
}

/// What it took to get in.
#[derive(Clone, Debug, Default)]
struct Entry {
    seconds: f64,
    cpu: Option<f64>,
    own_cpu: f64,
    took: Latency,
}

impl Scenario for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let mut table = Table::new("Idle", &COLUMNS);
        let mut sound = true;
        for most in if self.most { &[false, true][..] } else { &[false] } {
            let tested = setup.start(&setup.server, |_| {})?;
            let allowed = allowed(&tested.target);
            let connections = if *most { allowed } else { self.connections };
            if connections > allowed {
                bail!("{connections} connections are more than this machine's limit of open files allows, {allowed} (ulimit -Hn)");
            }
            let outcome = measure(&tested.target, self, connections)?;
            sound &= outcome.lost == 0;
            table.rows.push(row(&tested.target.name, &outcome));
        }
        table.notes.push(format!(
            "Bytes of a connection are the server's memory {settle} s after the last one less that before the first one (after a few others have \
             come and gone), divided; the kernel's buffers are not in it. They were idle for {} s, in which so many of their heartbeats (every 25 s) came. `again` is the \
             same users, all cut and let in once more; the first time ours makes them, which is a row in the database each.",
            self.seconds,
            settle = self.settle
        ));
        Ok(Found { tables: vec![table], sound })
    }
}

/// As many connections as server and this program may have, beside their other files.
fn allowed(target: &Target) -> usize {
    let limits = std::iter::once(std::process::id()).chain(target.pids.iter().copied()).filter_map(open_files);
    limits.min().unwrap_or(usize::MAX).saturating_sub(OTHER_FILES)
}

/// So many connections to this server.
///
/// # Errors
/// It does not let everybody in.
pub fn measure(target: &Target, idle: &Idle, connections: usize) -> Result<Outcome> {
    let settle = Duration::from_secs_f64(idle.settle);
    let mut net = target.net()?;
    let tag = tag();
    let virtual_users = VirtualUsers::new(target, (0..connections).map(|client| format!("i{tag}-{client}")), idle.at_once);
    warm_up(target, &mut net, settle)?;
    let mut idlers = Idlers { virtual_users, lost: 0 };
    let before = target.usage()?;
    let first = idlers.enter(&mut net)?;
    idlers.wait(&mut net, settle, "settling")?;
    let after = target.usage()?;

    let (own, pings, began) = (own_usage()?, net.pings(), Instant::now());
    idlers.wait(&mut net, Duration::from_secs_f64(idle.seconds), "idle")?;
    let seconds = began.elapsed().as_secs_f64();
    let of = |then: Usage, now: Usage| (now.cpu - then.cpu) / seconds;
    let idle_cpu = after.zip(target.usage()?).map(|(then, now)| of(then, now));
    let (own_idle_cpu, heartbeats) = (of(own, own_usage()?), net.pings() - pings);

    (0..connections).for_each(|client| idlers.virtual_users.cut(&mut net, client));
    idlers.wait(&mut net, settle, "settling")?;
    let again = idlers.enter(&mut net)?;
    let memory = before.zip(after);
    Ok(Outcome { connections, first, again, memory, idle_cpu, own_idle_cpu, heartbeats, lost: idlers.lost })
}

/// A few connections come and go. An allocator gives the memory of the server's start back to the system only when it is used again, and what
/// it gives back would be taken off the connections that are counted.
fn warm_up(target: &Target, net: &mut Net, settle: Duration) -> Result<()> {
    const FEW: usize = 16;
    let virtual_users = VirtualUsers::new(target, (0..FEW).map(|client| format!("w{}-{client}", tag())), FEW);
    let mut early = Idlers { virtual_users, lost: 0 };
    early.enter(net)?;
    early.wait(net, settle, "warming up")?;
    (0..FEW).for_each(|client| early.virtual_users.cut(net, client));
    early.wait(net, settle, "settling")
}

/// Everybody, and how many lost their connections.
struct Idlers {
    virtual_users: VirtualUsers,
    lost: usize,
}

impl Idlers {
    /// Lets everybody in.
    fn enter(&mut self, net: &mut Net) -> Result<Entry> {
        let (before, own, began) = (self.virtual_users.target.usage()?, own_usage()?, Instant::now());
        self.virtual_users.get_in(net)?;
        let seconds = began.elapsed().as_secs_f64();
        let cpu = before.zip(self.virtual_users.target.usage()?).map(|(before, after)| after.cpu - before.cpu);
        let own_cpu = own_usage()?.cpu - own.cpu;
        Ok(Entry { seconds, cpu, own_cpu, took: std::mem::take(&mut self.virtual_users.took) })
    }

    /// Answers heartbeats, and nothing else, for so long.
    fn wait(&mut self, net: &mut Net, lasts: Duration, what: &str) -> Result<()> {
        let (mut events, began) = (Events::with_capacity(4_096), Instant::now());
        let progress = Progress::new(format!("{}: {what}", self.virtual_users.target.name), u64::try_from(lasts.as_millis())?);
        while let Some(left) = lasts.checked_sub(began.elapsed()) {
            net.turn(self, &mut events, left.min(Duration::from_millis(200)))?;
            let passed = u64::try_from(began.elapsed().as_millis())?;
            progress.at(passed, || format!("{} connections", self.virtual_users.ready()));
        }
        progress.done(&format!("{:.1} s, {} connections", lasts.as_secs_f64(), self.virtual_users.ready()));
        Ok(())
    }
}

impl Hears for Idlers {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        if let Step::Lost(why) = self.virtual_users.heard(net, client, &what) {
            self.lost += 1;
            if self.lost == 1 {
                eprintln!("idle: the server has cut a connection: {why}");
            }
        }
    }
}

const COLUMNS: [Column; 18] = [
    column("server", "server"),
    column("connections", "connections"),
    charted("connects_per_second", "connects/s"),
    charted("connects_per_cpu_second", "connects/CPU s"),
    column("in_p50_ms", "in p50 ms"),
    column("in_p99_ms", "in p99 ms"),
    column("generator_cpu_percent", "generator CPU %"),
    charted("again_per_second", "again/s"),
    charted("again_per_cpu_second", "again/CPU s"),
    column("again_p50_ms", "again p50 ms"),
    column("again_p99_ms", "again p99 ms"),
    charted("resident_bytes", "resident B/connection"),
    charted("anonymous_bytes", "anonymous B/connection"),
    column("resident_mib", "resident MiB"),
    column("idle_cpu_percent", "idle CPU %"),
    column("generator_idle_cpu_percent", "generator idle CPU %"),
    column("heartbeats", "heartbeats"),
    column("lost", "cut by server"),
];

#[allow(clippy::cast_precision_loss)]
fn row(server: &str, outcome: &Outcome) -> Vec<Cell> {
    let connections = outcome.connections as f64;
    let rate = |seconds: f64| Cell::Number(connections / seconds.max(1e-9), 0);
    let by_cpu = |entry: &Entry| entry.cpu.filter(|cpu| *cpu > 0.0).map_or(Cell::Nothing, rate);
    let each = |of: fn(&Usage) -> u64| {
        let grown = outcome.memory.map(|(before, after)| of(&after) as f64 - of(&before) as f64);
        grown.map_or(Cell::Nothing, |grown| Cell::Number(grown / connections, 0))
    };
    vec![
        server.into(),
        outcome.connections.into(),
        rate(outcome.first.seconds),
        by_cpu(&outcome.first),
        outcome.first.took.cell(50.0),
        outcome.first.took.cell(99.0),
        Cell::Number(outcome.first.own_cpu / outcome.first.seconds.max(1e-9) * 100.0, 0),
        rate(outcome.again.seconds),
        by_cpu(&outcome.again),
        outcome.again.took.cell(50.0),
        outcome.again.took.cell(99.0),
        each(|used| used.resident),
        each(|used| used.anonymous),
        outcome.memory.map_or(Cell::Nothing, |(_, after)| Cell::Number(after.resident as f64 / 1_048_576.0, 1)),
        Cell::maybe(outcome.idle_cpu.map(|cpu| cpu * 100.0)),
        Cell::number(outcome.own_idle_cpu * 100.0),
        outcome.heartbeats.into(),
        outcome.lost.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_costs_what_the_server_has_grown_by() {
        let usage = |mib: u64| Usage { cpu: 0.0, resident: mib << 20, anonymous: mib << 19 };
        let outcome = Outcome { connections: 1_024, memory: Some((usage(10), usage(30))), ..Outcome::default() };
        let cells = row("guild", &outcome);
        let figure = |key: &str| cells[COLUMNS.iter().position(|column| column.key == key).unwrap()].figure();
        assert_eq!((figure("resident_bytes"), figure("anonymous_bytes")), (Some(20_480.0), Some(10_240.0)));
        assert_eq!((figure("resident_mib"), figure("idle_cpu_percent")), (Some(30.0), None));
    }
}
