//! `events`: a room's events as a reader of `GET /rooms/{id}/events` gets them, page by page, beside the same events as a socket gets them that comes
//! back with a cursor from before them. In turns, on one server.

mod pages;
mod replay;

use std::time::Duration;

use anyhow::Result;

use super::assembly::{Ask, Assembly, Request};
use super::meter::Spent;
use crate::net::Net;
use crate::progress::Progress;
use crate::report::{Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::spread::{middle, ratios};
use crate::target::Target;

pub use pages::MOST;

/// Events by page and by replay.
#[derive(Clone, Debug)]
pub struct Events {
    /// Messages of each of the two rooms.
    pub messages: usize,
    /// Members of each: all read at once, each everything.
    pub members: usize,
    /// Events of a page.
    pub page: usize,
    /// Bytes of a message.
    pub body: usize,
    /// Turns that are measured; one more goes before them.
    pub turns: usize,
}

/// So much is unanswered in a room while it is filled.
const WINDOW: usize = 32;
/// Messages of the second room are changed in blocks of so many: a fifth is edited, each gets a reaction, and one of ten is deleted.
const BLOCK: usize = 50;
/// After a replay the server is at rest for so long before the next is measured.
const REST: Duration = Duration::from_millis(300);

/// What one way of reading a room gave, a value a turn.
#[derive(Clone, Debug, Default)]
struct Series {
    events: u64,
    per_second: Vec<f64>,
    cpu: Vec<f64>,
}

impl Scenario for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let tested = setup.start(&setup.server, |_| {})?;
        let target = &tested.target;
        let mut net = target.net()?;
        let mut all = Assembly::gather(&mut net, target, 2, self.members, self.body)?;
        // From before anything was said.
        let cursors: Vec<Option<String>> = all.virtual_users.users.iter().map(|user| user.cursor.clone()).collect();
        fill(&mut net, &mut all, self)?;
        let mut table = Table::new("A room's events, by page and by replay", &COLUMNS);
        for (room, what) in [(0, "messages alone"), (1, "messages, edits, reactions, deletions")] {
            let (by_page, by_replay) = measure(&mut net, target, &mut all, room, &cursors, self)?;
            rows(&mut table, what, all.head(room), &by_page, &by_replay);
        }
        table.notes.push(format!(
            "Rooms of {} members, of whom each reads all events of the room, all at once: pages of {} over a connection each, or a socket each that shows its \
             old cursor (connecting is part of it). {} turns, one way after the other: middle of each figure; ratios are within a turn: middle (least–most). \
             Every `seq` is checked.",
            self.members, self.page, self.turns
        ));
        Ok(Found::figures(vec![table]))
    }
}

/// The first room with messages alone, the second with what changes them as well.
fn fill(net: &mut Net, all: &mut Assembly, events: &Events) -> Result<()> {
    let progress = Progress::new(format!("{}: filling two rooms", all.virtual_users.target.name), events.messages as u64);
    let mut done = 0;
    while done < events.messages {
        let block = BLOCK.min(events.messages - done);
        let heads = [all.head(0), all.head(1)];
        let send = |room: usize, n: usize| {
            let seq = heads.get(room)? + 1 + n as u64;
            (n < block).then_some(Ask { member: 0, request: Request::Send { seq } })
        };
        all.work(net, WINDOW, Duration::ZERO, &send)?;
        let [_, head] = heads;
        let change = |room, n| if room == 1 { change(n, head, block) } else { None };
        all.work(net, WINDOW, Duration::ZERO, &change)?;
        done += block;
        progress.at(done as u64, String::new);
    }
    progress.done("done");
    Ok(())
}

/// The n-th change of a block of messages after `head`, by the first member.
fn change(n: usize, head: u64, block: usize) -> Option<Ask> {
    let (edits, deletions) = (block / 5, block / 10);
    let seq = |n: usize| head + 1 + n as u64;
    let request = if n < edits {
        Request::Edit { seq: seq(n * 5) }
    } else if n < edits + block {
        Request::React { seq: seq(n - edits), emoji: "👍", on: true }
    } else if n < edits + block + deletions {
        Request::Delete { seq: seq((n - edits - block) * 10 + 1) }
    } else {
        return None;
    };
    Some(Ask { member: 0, request })
}

fn measure(
    net: &mut Net,
    target: &Target,
    all: &mut Assembly,
    room: usize,
    cursors: &[Option<String>],
    events: &Events,
) -> Result<(Series, Series)> {
    let progress = Progress::new(format!("{}: reading events", target.name), events.turns as u64);
    let (mut by_page, mut by_replay) = (Series::default(), Series::default());
    let due = all.head(room) * events.members as u64;
    for turn in 0..=events.turns {
        let paged = pages::read_all(target, all, room, events.page)?;
        let replayed = replay::replay_all(net, all, room, cursors)?;
        net.turn_until(all, std::time::Instant::now() + REST, |_| false)?;
        if turn > 0 {
            by_page.take(due, paged);
            by_replay.take(due, replayed);
        }
        progress.at(turn as u64, String::new);
    }
    progress.done("done");
    Ok((by_page, by_replay))
}

impl Series {
    #[allow(clippy::cast_precision_loss)]
    fn take(&mut self, events: u64, spent: Spent) {
        self.events += events;
        self.per_second.push(events as f64 / spent.seconds.max(1e-9));
        self.cpu.extend(spent.cpu_each(events));
    }
}

const COLUMNS: [Column; 7] = [
    column("what", "room of"),
    column("length", "events in it"),
    column("way", "by"),
    column("events", "events read"),
    charted("events_per_second", "events/s"),
    charted("cpu_us_per_event", "CPU µs/event"),
    column("cpu_ratio", "CPU, × replay"),
];

fn rows(table: &mut Table, what: &str, length: u64, by_page: &Series, by_replay: &Series) {
    for (way, series) in [("replay", by_replay), ("page", by_page)] {
        table.rows.push(vec![
            what.into(),
            length.into(),
            way.into(),
            series.events.into(),
            middle(&series.per_second),
            middle(&series.cpu),
            ratios(&series.cpu, &by_replay.cpu),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_change_of_a_block_changes_something() {
        for block in [50, 7, 1] {
            let asked: Vec<Request> = (0..).map_while(|n| change(n, 100, block)).map(|ask| ask.request).collect();
            assert_eq!(asked.len(), block / 5 + block + block / 10);
            let mut gone = HashSet::new();
            for request in asked {
                let reacted = if let Request::React { seq, .. } = request { Some(seq) } else { None };
                let seq = reacted.or(request.answers()).unwrap();
                assert!((101..=100 + block as u64).contains(&seq) && !gone.contains(&seq), "{request:?}");
                if let Request::Delete { seq } = request {
                    gone.insert(seq);
                }
            }
        }
    }
}
