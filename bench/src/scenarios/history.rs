//! `history`: pages of 50 messages over REST, from a database of five million. Every page is read and held against what must be in it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::Events;
use serde::Deserialize;

use crate::latency::Latency;
use crate::net::{Heard, Hears, Id, Net};
use crate::progress::{Progress, per_second};
use crate::random::Random;
use crate::report::{Cell, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::seed::{SeedPlan, Seeded, seeded};
use crate::setup::Setup;
use crate::target::{Server, Target, own_usage};

/// Pages of a history.
#[derive(Clone, Debug)]
pub struct History {
    /// What is in the database: rooms of two.
    pub plan: SeedPlan,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Seconds to measure.
    pub seconds: f64,
    /// Whether the database is made anew even if it is there.
    pub fresh: bool,
}

/// Messages of a page.
pub const PAGE: usize = 50;
/// So many pages in a hundred are the newest of their room; the others lie anywhere.
const NEWEST: usize = 10;
/// Before it is measured.
const WARM: Duration = Duration::from_secs(1);
/// A server that sends no page for so long is said to be at fault.
const PATIENCE: Duration = Duration::from_secs(10);
/// Whatever is drawn is drawn from this.
const SEED: u64 = 5;

impl Scenario for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn needs(&self) -> Needs {
        Needs::OwnServer("must know what is in the database")
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let seeded = seeded(self.plan, self.fresh)?;
        let copy = seeded.copy()?;
        let mut launch = setup.launch(copy.folder());
        launch.database = Some(copy.file.clone());
        let mut server = Server::start(launch)?;
        let outcome = measure(&server.target(), &seeded, self)?;
        server.stop()?;
        Ok(Found { tables: vec![table(&seeded, self, &outcome)], sound: outcome.wrong == 0 })
    }
}

/// What was measured.
#[derive(Default)]
struct Outcome {
    pages: u64,
    bytes: u64,
    seconds: f64,
    cpu: f64,
    own_cpu: f64,
    took: Latency,
    /// Pages that were not what they must be, in all, and the first of them.
    wrong: u64,
    example: Option<String>,
}

/// A page that a connection waits for.
#[derive(Clone, Copy)]
struct Asked {
    room: usize,
    /// The seq before which the page ends; nothing for the newest.
    before: Option<usize>,
    at: Instant,
}

struct Reading<'a> {
    seeded: &'a Seeded,
    /// A head of a request for each user: the token is the long part.
    tokens: Vec<String>,
    random: Random,
    conns: Vec<(Id, Option<Asked>)>,
    text: String,
    measuring: bool,
    stopping: bool,
    problem: Option<String>,
    outcome: Outcome,
}

fn measure(target: &Target, seeded: &Seeded, history: &History) -> Result<Outcome> {
    let mut net = Net::new(target.addr)?;
    let tokens = (0..seeded.plan.users).map(|user| target.tokens.of(&SeedPlan::username(user))).collect();
    let conns = (0..history.connections).map(|client| Ok((net.open_http(client)?, None))).collect::<Result<_>>()?;
    let (random, text, outcome) = (Random::new(SEED), String::new(), Outcome::default());
    let mut reading = Reading { seeded, tokens, random, conns, text, measuring: false, stopping: false, problem: None, outcome };
    for client in 0..history.connections {
        reading.ask(&mut net, client);
    }
    let progress = Progress::new("guild: reading pages", history.seconds.ceil().max(1.0) as u64);
    let warm = reading.turn_for(&mut net, WARM, &progress)?;
    let used = || -> Result<_> { Ok((target.usage()?.context("no server process")?, own_usage()?)) };
    let before = used()?;
    reading.measuring = true;
    let took = reading.turn_for(&mut net, Duration::from_secs_f64(history.seconds), &progress)?;
    let after = used()?;
    reading.measuring = false;
    reading.stopping = true;
    let idle = net.turn_until(&mut reading, Instant::now() + PATIENCE, |reading| {
        reading.problem.is_some() || reading.conns.iter().all(|(_, asked)| asked.is_none())
    })?;
    if let Some(problem) = reading.problem {
        bail!("the run ended early: {problem}");
    }
    if !idle {
        bail!("a page was not answered within {} s", PATIENCE.as_secs());
    }
    let mut outcome = reading.outcome;
    (outcome.seconds, outcome.cpu, outcome.own_cpu) = (took.as_secs_f64(), after.0.cpu - before.0.cpu, after.1.cpu - before.1.cpu);
    if outcome.pages == 0 {
        bail!("no page came in {:.1} s: give more --seconds", (warm + took).as_secs_f64());
    }
    progress.done(&format!("{:.0} pages/s", per_second(usize::try_from(outcome.pages)?, took)));
    Ok(outcome)
}

impl Reading<'_> {
    fn turn_for(&mut self, net: &mut Net, time: Duration, progress: &Progress) -> Result<Duration> {
        let (began, mut events) = (Instant::now(), Events::with_capacity(1_024));
        let mut last = (began, self.outcome.took.count());
        while began.elapsed() < time {
            net.turn(self, &mut events, Duration::from_millis(10))?;
            if let Some(problem) = self.problem.take() {
                bail!("the run ended early: {problem}");
            }
            let pages = self.outcome.took.count();
            if pages > last.1 || !self.measuring {
                last = (Instant::now(), pages);
            } else if last.0.elapsed() > PATIENCE {
                bail!("no page came for {} s", PATIENCE.as_secs());
            }
            progress.at(began.elapsed().as_secs(), || format!("{pages} pages"));
        }
        Ok(began.elapsed())
    }

    /// Asks for a page: any room, as any of its two, anywhere in it.
    fn ask(&mut self, net: &mut Net, client: usize) {
        let plan = &self.seeded.plan;
        let room = self.random.below(plan.rooms);
        let user = plan.member(room, self.random.below(2));
        // `before` from the first place that has a whole page before it to the one past the end.
        let before = (!self.random.percent(NEWEST)).then(|| self.random.between(PAGE + 1, plan.messages + 1));
        let (Some(id), Some(token)) = (self.seeded.rooms.get(room), self.tokens.get(user)) else { return };
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "GET /rooms/{id}/messages?limit={PAGE}");
        if let Some(before) = before {
            let _ = write!(self.text, "&before={before}");
        }
        let _ = write!(self.text, " HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", net.server());
        if let Some((conn, asked)) = self.conns.get_mut(client) {
            *asked = Some(Asked { room, before, at: Instant::now() });
            net.send_raw(*conn, self.text.as_bytes());
        }
    }

    fn page(&mut self, net: &mut Net, client: usize, status: u16, body: &[u8]) {
        let now = Instant::now();
        let Some(asked) = self.conns.get_mut(client).and_then(|(_, asked)| asked.take()) else {
            self.problem = Some("an answer that nobody asked for".to_owned());
            return;
        };
        if self.measuring {
            self.outcome.pages += 1;
            self.outcome.bytes += body.len() as u64;
            self.outcome.took.add(asked.at, now);
        }
        // The next request goes out before this page is looked through, as another client's would.
        if !self.stopping {
            self.ask(net, client);
        }
        let Asked { room, before, .. } = asked;
        let newest = before.unwrap_or(self.seeded.plan.messages + 1) - 1;
        let id = self.seeded.rooms.get(room).map(ToString::to_string).unwrap_or_default();
        let verdict = if status == 200 { check(body, &self.seeded.plan, room, &id, newest) } else { Err(format!("status {status}")) };
        if let Err(why) = verdict {
            self.outcome.wrong += 1;
            let example = || format!("room {id} before {before:?}: {why}: {}", String::from_utf8_lossy(body.get(..200).unwrap_or(body)));
            self.outcome.example.get_or_insert_with(example);
            if self.outcome.wrong > 1_000 {
                self.problem = Some(format!("the pages are wrong, such as {}", self.outcome.example.as_deref().unwrap_or_default()));
            }
        }
    }
}

impl Hears for Reading<'_> {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match what {
            Heard::Response(status, body) => self.page(net, client, status, body),
            Heard::Closed(why) => self.problem = Some(format!("connection {client} was cut: {why}")),
            _ => {}
        }
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    next: Option<&'a str>,
}

/// Nothing that the plan writes is escaped in JSON, so all of it can be borrowed.
#[derive(Deserialize)]
struct Item<'a> {
    id: &'a str,
    room: &'a str,
    seq: usize,
    sender: &'a str,
    body: &'a str,
    created_at: &'a str,
}

/// Whether this is the page of this room that ends with the message `newest`: 50 of them, ascending, none missing, each as it was sent.
fn check(body: &[u8], plan: &SeedPlan, room: usize, id: &str, newest: usize) -> Result<(), String> {
    let page: Page<'_> = serde_json::from_slice(body).map_err(|error| format!("no page: {error}"))?;
    if page.items.len() != PAGE {
        return Err(format!("{} messages instead of {PAGE}", page.items.len()));
    }
    for (item, seq) in page.items.iter().zip(newest + 1 - PAGE..) {
        if item.seq != seq {
            return Err(format!("message {} where {seq} must be", item.seq));
        }
        if item.room != id || item.body != plan.body(room, seq) || item.sender != SeedPlan::username(plan.sender(room, seq)) {
            return Err(format!("message {seq} is not what was sent"));
        }
        if item.id.len() != 36 || item.created_at.len() != 24 {
            return Err(format!("message {seq} has the id {:?} and the time {:?}", item.id, item.created_at));
        }
    }
    let next = (newest < plan.messages).then(|| newest.to_string());
    if page.next != next.as_deref() {
        return Err(format!("next is {:?} where {next:?} must be", page.next));
    }
    Ok(())
}

fn table(seeded: &Seeded, history: &History, outcome: &Outcome) -> Table {
    let columns = [
        column("messages", "messages"),
        column("rooms", "rooms"),
        column("connections", "connections"),
        column("pages", "pages"),
        column("wrong", "wrong"),
        charted("pages_per_second", "pages/s"),
        charted("pages_per_cpu_second", "pages/CPU s"),
        column("cpu_us_per_page", "CPU µs/page"),
        column("p50_ms", "p50 ms"),
        charted("p99_ms", "p99 ms"),
        column("p999_ms", "p99.9 ms"),
        column("bytes_per_page", "bytes/page"),
        column("server_cpu_percent", "server CPU %"),
        column("generator_cpu_percent", "generator CPU %"),
    ];
    let plan = &seeded.plan;
    #[allow(clippy::cast_precision_loss)]
    let (pages, bytes, size) = (outcome.pages as f64, outcome.bytes as f64, seeded.size() as f64);
    let cpu = Some(outcome.cpu).filter(|cpu| *cpu > 0.0);
    let mut table = Table::new(format!("Pages of {PAGE} messages over REST"), &columns);
    table.rows.push(vec![
        (plan.rooms * plan.messages).into(),
        plan.rooms.into(),
        history.connections.into(),
        outcome.pages.into(),
        outcome.wrong.into(),
        Cell::Number(pages / outcome.seconds, 0),
        cpu.map_or(Cell::Nothing, |cpu| Cell::Number(pages / cpu, 0)),
        Cell::maybe(cpu.map(|cpu| cpu * 1e6 / pages)),
        outcome.took.cell(50.0),
        outcome.took.cell(99.0),
        outcome.took.cell(99.9),
        Cell::Number(bytes / pages, 0),
        Cell::Number(outcome.cpu / outcome.seconds * 100.0, 0),
        Cell::Number(outcome.own_cpu / outcome.seconds * 100.0, 0),
    ]);
    table.notes.push(format!(
        "Random rooms and places, {NEWEST} of 100 pages the newest; the messages of a room lie {} rows apart in a file of {:.0} MiB. The server \
         (its reader threads too) has one core. Every page is checked: 50 messages, no gap, each as it was sent.",
        plan.together.min(plan.rooms),
        size / 1_048_576.0
    ));
    if let Some(example) = &outcome.example {
        table.notes.push(format!("Wrong: {example}"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn page(plan: &SeedPlan, room: usize, newest: usize) -> Value {
        let items: Vec<Value> = (newest + 1 - PAGE..=newest)
            .map(|seq| {
                let (sender, body) = (SeedPlan::username(plan.sender(room, seq)), plan.body(room, seq));
                json!({"id": ID, "room": ID, "seq": seq, "sender": sender, "body": body, "created_at": "2026-11-24T20:00:00.000Z"})
            })
            .collect();
        let next = (newest < plan.messages).then(|| newest.to_string());
        json!({"items": items, "next": next})
    }

    #[test]
    fn a_page_is_right_or_told_why_not() {
        let plan = SeedPlan::new(20, 2, 100, None, 40).unwrap();
        let verdict = |page: &Value, newest| check(page.to_string().as_bytes(), &plan, 3, ID, newest);
        for newest in [50, 77, 100] {
            assert_eq!(verdict(&page(&plan, 3, newest), newest), Ok(()));
        }
        let right = page(&plan, 3, 77);
        assert!(verdict(&right, 78).unwrap_err().contains("message 28 where 29 must be"));
        let spoiled = |spoil: fn(&mut Value)| {
            let mut page = right.clone();
            spoil(&mut page);
            verdict(&page, 77).unwrap_err()
        };
        assert!(spoiled(|page| page["next"] = Value::Null).contains("next is None"));
        assert!(spoiled(|page| page["items"][5]["body"] = "another".into()).contains("message 33 is not what was sent"));
        assert!(spoiled(|page| page["items"][5]["room"] = "another".into()).contains("message 33"));
        assert!(spoiled(|page| drop(page["items"].as_array_mut().unwrap().pop())).contains("49 messages"));
        assert!(spoiled(|page| page["items"].as_array_mut().unwrap().swap(1, 2)).contains("message 30 where 29"));
        assert!(spoiled(|page| page["items"] = Value::Null).contains("no page"));
    }
}
