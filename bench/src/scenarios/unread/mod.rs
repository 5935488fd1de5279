//! `unread`: what is unread in a room of many messages whose reader follows many threads, beside a small room of a reader who follows few. Both are on one
//! server and are asked in turns; as much is unread in threads and mentions in the one as in the other, and more messages in the large one.

mod plan;
mod questions;

use std::time::Duration;

use anyhow::Result;

use super::assembly::{Ask, Assembly};
use super::pages::{Reading, read};
use crate::latency::Latency;
use crate::net::Net;
use crate::progress::Progress;
use crate::report::{Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::spread::{middle, ratios};
use crate::target::Target;
use plan::{BLOCKS, MEMBERS, Plan, READER, Room, WRITER};
use questions::{CatchUp, Marks, Read, Repeated, Replies, choose};

pub use plan::{LISTED, Size};

/// What is asked of a small room and of a large one.
#[derive(Clone, Debug)]
pub struct Unread {
    /// How much is in a small room.
    pub small: Size,
    /// How much is in the large one.
    pub large: Size,
    /// Small rooms, each with a reader of its own. Marks are moved in all of them, so that each stays small; the rest is asked of the first.
    pub rooms: usize,
    /// Threads with something unread in each room: less than it has, and at most [`LISTED`].
    pub unread: usize,
    /// Unread messages that mention the reader in each room.
    pub mentions: usize,
    /// Bytes of a message.
    pub body: usize,
    /// Connections, each with one request under way: each of these numbers in turn.
    pub connections: Vec<usize>,
    /// Reads of each kind, of each side in a turn.
    pub reads: usize,
    /// Turns that are measured; one more goes before them.
    pub turns: usize,
}

/// So much is unanswered in a room while it is filled.
const WINDOW: usize = 32;
/// So many connections make ready what is not measured.
const HANDS: usize = 16;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read(Read),
    Mark,
}

/// Each with what the tables call it.
const KINDS: [(Kind, &str); 3] = [
    (Kind::Read(Read::Room), "GET /rooms/{id}"),
    (Kind::Read(Read::Threads), "GET /users/me/threads?unread=true"),
    (Kind::Mark, "PUT /rooms/{id}/threads/{seq}/read"),
];

/// The small rooms, and the large one.
type Sides = [Vec<Room>; 2];

/// What a kind gave on one side with so many connections, a value a turn.
#[derive(Clone, Debug, Default)]
struct Series {
    answers: u64,
    cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    took: Latency,
}

impl Scenario for Unread {
    fn name(&self) -> &'static str {
        "unread"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let tested = setup.start(&setup.server, |_| {})?;
        let mut net = tested.target.net()?;
        let sides = fill(&mut net, &tested.target, self)?;
        // Who reads has no socket that waits to be read while it is measured.
        drop(net);
        for rooms in &sides {
            read(&tested.target, HANDS, &mut CatchUp::new(rooms))?;
        }
        let mut table = Table::new("What is unread in a small room and in a large one", &COLUMNS);
        for connections in &self.connections {
            rows(&mut table, *connections, &measure(&tested.target, self, &sides, *connections)?);
        }
        table.notes.push(self.note());
        Ok(Found::figures(vec![table]))
    }
}

impl Unread {
    /// Threads of a side in which marks are moved in a turn, each twice.
    fn marked(&self) -> usize {
        self.rooms * (self.small.threads - self.unread)
    }

    fn note(&self) -> String {
        let Self { small, large, rooms, unread, mentions, reads, turns, .. } = self;
        format!(
            "One server, asked in turns. Small: a room of {} messages whose reader follows {} threads (for marks {rooms} such rooms, each with its own reader); \
             large: one of {} messages whose reader follows {} threads. In each {unread} threads and {mentions} mentions are unread, and half of the messages. \
             {turns} turns of {reads} reads a kind and side and of {} marks a side, two in each of {} threads in which two messages came just before: middle of \
             each figure; ratios are within a turn: middle (least–most). Every answer is checked.",
            small.messages,
            small.threads,
            large.messages,
            large.threads,
            2 * self.marked(),
            self.marked()
        )
    }
}

/// The small rooms and the large one, with something unread in every thread.
fn fill(net: &mut Net, target: &Target, unread: &Unread) -> Result<Sides> {
    let mut all = Assembly::gather(net, target, unread.rooms + 1, MEMBERS, unread.body)?;
    // The large room is the first one.
    let plan = |size| Plan { size, unread: unread.unread, mentions: unread.mentions };
    let plans: Vec<Plan> = std::iter::once(unread.large).chain(std::iter::repeat_n(unread.small, unread.rooms)).map(plan).collect();
    let mut roots: Vec<Vec<u64>> = vec![Vec::new(); plans.len()];
    let progress = Progress::new(format!("{}: filling {} rooms", target.name, plans.len()), BLOCKS as u64 * 2);
    // What one asks of a room ends before the next begins, because each message names its own seq.
    for block in 0..BLOCKS {
        work(net, &mut all, &plans, |_, plan, head| plan.talk(block, head))?;
        let begun = work(net, &mut all, &plans, |_, plan, head| plan.begin_threads(block, head))?;
        let begun: Vec<Vec<u64>> = begun.iter().map(|asks| asks.iter().filter_map(|ask| ask.request.answers()).collect()).collect();
        work(net, &mut all, &plans, |room, _, head| plan::answers(begun.get(room).map_or(&[], Vec::as_slice), head))?;
        roots.iter_mut().zip(begun).for_each(|(roots, begun)| roots.extend(begun));
        progress.at(block as u64, String::new);
    }
    work(net, &mut all, &plans, |_, plan, head| plan.rest(head))?;
    progress.done("done");
    let mut rooms = plans.iter().zip(&roots).enumerate().map(|(number, (plan, roots))| {
        let users = all.virtual_users.users.get(all.members(number)).unwrap_or_default();
        let token = |member: usize| users.get(member).map(|user| target.tokens.of(&user.name)).unwrap_or_default();
        Room::new(all.id(number), *plan, [token(READER), token(WRITER)], roots)
    });
    let large = rooms.by_ref().take(1).collect();
    Ok([rooms.collect(), large])
}

/// Asks of each room what `asks(room, plan, head)` says, which is answered.
fn work(net: &mut Net, all: &mut Assembly, plans: &[Plan], asks: impl Fn(usize, &Plan, u64) -> Vec<Ask>) -> Result<Vec<Vec<Ask>>> {
    let asked: Vec<Vec<Ask>> = plans.iter().enumerate().map(|(room, plan)| asks(room, plan, all.head(room))).collect();
    all.work(net, WINDOW, Duration::ZERO, &|room, n| asked.get(room)?.get(n).copied())?;
    Ok(asked)
}

fn measure(target: &Target, unread: &Unread, sides: &Sides, connections: usize) -> Result<[[Series; 2]; 3]> {
    let mut all: [[Series; 2]; 3] = Default::default();
    let what = if connections == 1 { "connection" } else { "connections" };
    let progress = Progress::new(format!("{}: asking over {connections} {what}", target.name), unread.turns as u64);
    for turn in 0..=unread.turns {
        for ((kind, _), both) in KINDS.into_iter().zip(&mut all) {
            for (rooms, series) in sides.iter().zip(both) {
                let reading = ask(target, unread, kind, rooms, turn, connections)?;
                if turn > 0 {
                    series.add(&reading);
                }
            }
        }
        progress.at(turn as u64, String::new);
    }
    progress.done("done");
    Ok(all)
}

fn ask(target: &Target, unread: &Unread, kind: Kind, rooms: &[Room], turn: usize, connections: usize) -> Result<Reading> {
    match (kind, rooms.first()) {
        (Kind::Read(what), Some(room)) => read(target, connections, &mut Repeated { read: what, room, left: unread.reads }),
        (Kind::Read(_), None) => Ok(Reading::default()),
        (Kind::Mark, _) => {
            let mut chosen = choose(rooms, turn, unread.marked());
            read(target, HANDS, &mut Replies::new(&mut chosen, HANDS, unread.body))?;
            read(target, connections, &mut Marks::new(&chosen, connections))
        }
    }
}

impl Series {
    fn add(&mut self, reading: &Reading) {
        self.answers += reading.pages;
        self.cpu.extend(reading.spent.cpu_each(reading.pages));
        self.p50.extend(reading.took.percentile(50.0));
        self.p99.extend(reading.took.percentile(99.0));
        self.took.add_all(&reading.took);
    }
}

const COLUMNS: [Column; 11] = [
    column("what", "asked"),
    column("room", "room"),
    column("connections", "connections"),
    column("answers", "answers"),
    charted("cpu_us", "CPU µs each"),
    column("cpu_ratio", "CPU, × small"),
    charted("p50_ms", "p50 ms"),
    column("p50_ratio", "p50, × small"),
    charted("p99_ms", "p99 ms"),
    column("p99_ratio", "p99, × small"),
    column("p999_ms", "p99.9 ms"),
];

fn rows(table: &mut Table, connections: usize, all: &[[Series; 2]; 3]) {
    for ((_, what), both) in KINDS.into_iter().zip(all) {
        let [small, _] = both;
        for (room, series) in ["small", "large"].into_iter().zip(both) {
            table.rows.push(vec![
                what.into(),
                room.into(),
                connections.into(),
                series.answers.into(),
                middle(&series.cpu),
                ratios(&series.cpu, &small.cpu),
                middle(&series.p50),
                ratios(&series.p50, &small.p50),
                middle(&series.p99),
                ratios(&series.p99, &small.p99),
                series.took.cell(99.9),
            ]);
        }
    }
}
