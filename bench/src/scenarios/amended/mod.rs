//! `amended`: pages of history in which everything has reactions and a fifth was edited, beside pages of messages that nobody has changed: two rooms
//! of one server, read in turns.

mod plan;

use std::time::Duration;

use anyhow::Result;

use super::assembly::{Ask, Assembly, Request};
use super::pages::{Question, Reader, read};
use crate::latency::Latency;
use crate::net::Net;
use crate::progress::Progress;
use crate::random::Random;
use crate::report::{Column, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::setup::Setup;
use crate::spread::{middle, ratios};
use crate::target::Target;
use plan::Room;

pub use plan::{EMOJIS, PAGE};

/// Pages of two rooms.
#[derive(Clone, Debug)]
pub struct Amended {
    /// Messages of each room.
    pub messages: usize,
    /// Members of each, who all react to every message of the second one.
    pub members: usize,
    /// With how many emojis each of them.
    pub emojis: usize,
    /// Bytes of a message.
    pub body: usize,
    /// Connections, each with one request under way: each of these numbers in turn.
    pub connections: Vec<usize>,
    /// Pages of a room in a turn.
    pub pages: usize,
    /// Turns that are measured; one more goes before them.
    pub turns: usize,
}

/// So much is unanswered in a room while it is filled.
const WINDOW: usize = 32;
/// Whatever is drawn is drawn from this.
const SEED: u64 = 5;

/// What the pages of a room gave with so many connections, a value a turn.
#[derive(Clone, Debug, Default)]
struct Series {
    pages: u64,
    bytes: u64,
    cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    took: Latency,
}

impl Scenario for Amended {
    fn name(&self) -> &'static str {
        "amended"
    }

    fn needs(&self) -> Needs {
        Needs::AnyServer
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let tested = setup.start(&setup.server, |_| {})?;
        let mut net = tested.target.net()?;
        let (rooms, tokens) = fill(&mut net, &tested.target, self)?;
        let mut table = Table::new(format!("Pages of {PAGE} messages, plain and amended"), &COLUMNS);
        for connections in &self.connections {
            let all = measure(&tested.target, self, &rooms, &tokens, *connections)?;
            rows(&mut table, *connections, &all);
        }
        table.notes.push(format!(
            "Two rooms of {} messages on one server, read in turns. In the second, 10 messages of each page were edited, and {} members have reacted to \
             every message with {} emojis each. {} turns of {} pages a room: middle of each figure; ratios are within a turn: middle (least–most). Every \
             page is checked.",
            self.messages, self.members, self.emojis, self.turns, self.pages
        ));
        Ok(Found::figures(vec![table]))
    }
}

/// The plain room and the amended one, and for each the tokens of its members.
fn fill(net: &mut Net, target: &Target, amended: &Amended) -> Result<([Room; 2], [Vec<String>; 2])> {
    let mut all = Assembly::gather(net, target, 2, amended.members, amended.body)?;
    let room = |number, changed| Room {
        id: Assembly::id(&all, number).to_owned(),
        seqs: Vec::new(),
        amended: changed,
        members: amended.members,
        emojis: amended.emojis,
        bytes: amended.body,
    };
    let mut rooms = [room(0, false), room(1, true)];
    let progress = Progress::new(format!("{}: filling two rooms", target.name), amended.messages as u64);
    let mut done = 0;
    // Block by block, so that what changes messages lies between them, as where people talk.
    while done < amended.messages {
        let block = PAGE.min(amended.messages - done);
        let heads = [all.head(0), all.head(1)];
        let seq = |room: usize, n: usize| heads.get(room).copied().unwrap_or(0) + 1 + n as u64;
        let send = |room, n| (n < block).then(|| Ask { member: 0, request: Request::Send { seq: seq(room, n) } });
        all.work(net, WINDOW, Duration::ZERO, &send)?;
        for (number, room) in rooms.iter_mut().enumerate() {
            room.seqs.extend((0..block).map(|n| seq(number, n)));
        }
        let [_, changed] = &rooms;
        let edited: Vec<u64> = (done..done + block).filter(|n| changed.is_edited(*n)).map(|n| seq(1, n - done)).collect();
        let edit = |room, n: usize| Some(Ask { member: 0, request: Request::Edit { seq: *edited.get(n).filter(|_| room == 1)? } });
        all.work(net, WINDOW, Duration::ZERO, &edit)?;
        let react = |room, n: usize| {
            let (member, n) = (n / (block * amended.emojis), n % (block * amended.emojis));
            let emoji = EMOJIS.get(n / block).filter(|_| room == 1 && member < amended.members)?;
            Some(Ask { member, request: Request::React { seq: seq(1, n % block), emoji, on: true } })
        };
        all.work(net, WINDOW, Duration::ZERO, &react)?;
        done += block;
        progress.at(done as u64, String::new);
    }
    progress.done("done");
    let tokens = [0, 1].map(|room| {
        let users = all.virtual_users.users.get(all.members(room)).unwrap_or_default();
        users.iter().map(|user| target.tokens.of(&user.name)).collect()
    });
    Ok((rooms, tokens))
}

fn measure(target: &Target, amended: &Amended, rooms: &[Room; 2], tokens: &[Vec<String>; 2], connections: usize) -> Result<[Series; 2]> {
    let mut all: [Series; 2] = Default::default();
    let what = if connections == 1 { "connection" } else { "connections" };
    let progress = Progress::new(format!("{}: reading pages over {connections} {what}", target.name), amended.turns as u64);
    for turn in 0..=amended.turns {
        for ((room, tokens), series) in rooms.iter().zip(tokens).zip(&mut all) {
            // Both rooms are asked for the same places.
            let random = Random::of(SEED, turn);
            let mut places = Places { room, tokens, random, left: amended.pages, ends: vec![0; connections] };
            let reading = read(target, connections, &mut places)?;
            if turn > 0 {
                series.pages += reading.pages;
                series.bytes += reading.bytes;
                series.cpu.extend(reading.spent.cpu_each(reading.pages));
                series.p50.extend(reading.took.percentile(50.0));
                series.p99.extend(reading.took.percentile(99.0));
                series.took.add_all(&reading.took);
            }
        }
        progress.at(turn as u64, String::new);
    }
    progress.done("done");
    Ok(all)
}

/// Asks for pages anywhere in a room, as any of its members.
struct Places<'a> {
    room: &'a Room,
    tokens: &'a [String],
    random: Random,
    left: usize,
    /// For each connection: before which message its page ends.
    ends: Vec<usize>,
}

impl Reader for Places<'_> {
    fn next(&mut self, client: usize) -> Option<Question> {
        self.left = self.left.checked_sub(1)?;
        let end = self.random.between(PAGE, self.room.seqs.len());
        *self.ends.get_mut(client)? = end;
        let token = self.tokens.get(self.random.below(self.tokens.len()))?.clone();
        let before = self.room.before(end).map(|before| format!("&before={before}")).unwrap_or_default();
        Some(Question::get(format!("/rooms/{}/messages?limit={PAGE}{before}", self.room.id), token))
    }

    fn page(&mut self, client: usize, body: &[u8]) -> Result<(), String> {
        self.room.check(body, self.ends.get(client).copied().unwrap_or(0))
    }
}

const COLUMNS: [Column; 11] = [
    column("what", "messages"),
    column("connections", "connections"),
    column("pages", "pages"),
    charted("cpu_us_per_page", "CPU µs/page"),
    column("cpu_ratio", "CPU, × plain"),
    charted("p50_ms", "p50 ms"),
    column("p50_ratio", "p50, × plain"),
    charted("p99_ms", "p99 ms"),
    column("p99_ratio", "p99, × plain"),
    column("p999_ms", "p99.9 ms"),
    column("bytes_per_page", "bytes/page"),
];

fn rows(table: &mut Table, connections: usize, all: &[Series; 2]) {
    let [plain, _] = all;
    for (what, series) in ["plain", "amended"].into_iter().zip(all) {
        table.rows.push(vec![
            what.into(),
            connections.into(),
            series.pages.into(),
            middle(&series.cpu),
            ratios(&series.cpu, &plain.cpu),
            middle(&series.p50),
            ratios(&series.p50, &plain.p50),
            middle(&series.p99),
            ratios(&series.p99, &plain.p99),
            series.took.cell(99.9),
            (series.bytes / series.pages.max(1)).into(),
        ]);
    }
}
