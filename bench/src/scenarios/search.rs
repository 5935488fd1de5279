//! `search`: what is looked for among a million messages, one question after the other. Every answer is held against what must be found.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::latency::Latency;
use crate::one_at_a_time::OneAtATime;
use crate::progress::Progress;
use crate::random::Random;
use crate::report::{Cell, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::seed::{SeedPlan, Seeded, seeded, word};
use crate::setup::Setup;
use crate::target::Target;

/// Questions of each kind.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is in the database: rooms of two, messages of words.
    pub plan: SeedPlan,
    /// Questions of each kind.
    pub questions: usize,
    /// Whether the database is made anew even if it is there.
    pub fresh: bool,
}

/// Bytes of a message: some 20 words.
pub const BODY: usize = 100;
/// Messages of a page.
const PAGE: usize = 50;
/// Whatever is drawn is drawn from this.
const SEED: u64 = 5;
/// Questions of each kind before it is measured.
const WARM: usize = 20;

/// What is looked for: all of these must be in a message.
#[derive(Debug)]
enum Part {
    Word(String),
    Prefix(String),
    Phrase(String, String),
}

impl Part {
    fn is_in(&self, words: &[&str]) -> bool {
        match self {
            Self::Word(word) => words.contains(&word.as_str()),
            Self::Prefix(prefix) => words.iter().any(|word| word.starts_with(prefix.as_str())),
            Self::Phrase(one, two) => words.windows(2).any(|pair| pair == [one.as_str(), two.as_str()]),
        }
    }

    /// As it stands in an address.
    fn query(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Prefix(prefix) => format!("{prefix}*"),
            Self::Phrase(one, two) => format!("%22{one}+{two}%22"),
        }
    }
}

/// The kinds of questions.
const KINDS: [&str; 7] = [
    "a common word",
    "a rare word",
    "two common words",
    "a common and a rare one",
    "a phrase of two common ones",
    "a prefix of 2",
    "a prefix of 4",
];

fn draw(kind: usize, random: &mut Random) -> Vec<Part> {
    let common = |random: &mut Random| word(random.between(1, 5));
    let rare = |random: &mut Random| word(random.between(5_000, 29_999));
    match kind {
        0 => vec![Part::Word(common(random))],
        1 => vec![Part::Word(rare(random))],
        2 => vec![Part::Word(word(1)), Part::Word(word(2))],
        3 => vec![Part::Word(common(random)), Part::Word(rare(random))],
        4 => vec![Part::Phrase(common(random), common(random))],
        5 => vec![Part::Prefix(rare(random).chars().take(2).collect())],
        _ => vec![Part::Prefix(rare(random).chars().take(4).collect())],
    }
}

impl Scenario for Search {
    fn name(&self) -> &'static str {
        "search"
    }

    fn needs(&self) -> Needs {
        Needs::OwnServer("must know what is in the database")
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let seeded = seeded(self.plan, self.fresh)?;
        let copy = seeded.copy()?;
        let tested = setup.start("guild", |launch| launch.database = Some(copy.file.clone()))?;
        Ok(Found::figures(vec![measure(&tested.target, &seeded, self.questions)?]))
    }
}

fn measure(target: &Target, seeded: &Seeded, questions: usize) -> Result<Table> {
    let expected = Expected::new(&seeded.plan, seeded.rooms.iter().map(ToString::to_string));
    let mut single = OneAtATime::open(target)?;
    let progress = Progress::new("guild: searching", (KINDS.len() * questions) as u64);
    let columns = [
        column("kind", "looked for"),
        column("questions", "questions"),
        column("found", "found each"),
        column("more", "with a next page"),
        charted("p50_ms", "p50 ms"),
        charted("p99_ms", "p99 ms"),
        column("max_ms", "most ms"),
        column("cpu_us", "CPU µs each"),
    ];
    let mut table = Table::new("Search", &columns);
    for (kind, name) in KINDS.iter().enumerate() {
        let (mut random, mut took, mut found, mut more) = (Random::of(SEED, kind), Latency::default(), 0, 0_usize);
        let mut used = 0.0;
        for question in 0..WARM + questions {
            if question == WARM {
                used = target.usage()?.context("no server process")?.cpu;
            }
            let (user, parts) = (random.below(seeded.plan.users), draw(kind, &mut random));
            let query: Vec<String> = parts.iter().map(Part::query).collect();
            let began = Instant::now();
            let body = single.get(&format!("/messages/search?q={}&limit={PAGE}", query.join("+")), &SeedPlan::username(user))?;
            let ended = Instant::now();
            let page: Page = serde_json::from_slice(&body)?;
            expected.check(user, &parts, &page).map_err(|why| anyhow::anyhow!("f{user} looked for {parts:?}: {why}"))?;
            if question >= WARM {
                took.add(began, ended);
                found += page.items.len();
                more += usize::from(page.next.is_some());
            }
            progress.at((kind * questions + question) as u64, || (*name).to_owned());
        }
        #[allow(clippy::cast_precision_loss)]
        let each = |sum: f64| Some(sum / questions as f64);
        let cpu = target.usage()?.context("no server process")?.cpu - used;
        #[allow(clippy::cast_precision_loss)]
        let found = found as f64;
        table.rows.push(vec![
            (*name).into(),
            questions.into(),
            Cell::maybe(each(found)),
            more.into(),
            took.cell(50.0),
            took.cell(99.0),
            took.cell(100.0),
            Cell::maybe(each(cpu * 1e6)),
        ]);
    }
    progress.done("done");
    table.notes.push(format!(
        "{} messages in {} rooms of two, each user in {} of them; one question after the other, over REST. Every answer is checked: each message that was \
         found is one that holds what was looked for, in a room of who asked; and where there is no next page, none is missing.",
        seeded.plan.messages * seeded.plan.rooms,
        seeded.plan.rooms,
        2 * seeded.plan.rooms / seeded.plan.users
    ));
    Ok(table)
}

#[derive(Clone, Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Item {
    message: Message,
}

#[derive(Clone, Deserialize)]
struct Message {
    room: String,
    seq: usize,
    body: String,
}

/// Who is where, and which room has which id.
struct Expected<'a> {
    plan: &'a SeedPlan,
    numbers: HashMap<String, usize>,
    rooms_of: Vec<Vec<usize>>,
}

impl<'a> Expected<'a> {
    fn new(plan: &'a SeedPlan, ids: impl Iterator<Item = String>) -> Self {
        let mut rooms_of = vec![Vec::new(); plan.users];
        for room in 0..plan.rooms {
            for place in 0..plan.members {
                if let Some(rooms) = rooms_of.get_mut(plan.member(room, place)) {
                    rooms.push(room);
                }
            }
        }
        let numbers = ids.enumerate().map(|(number, id)| (id, number)).collect();
        Self { plan, numbers, rooms_of }
    }

    /// Whether this page is what this user must find.
    fn check(&self, user: usize, parts: &[Part], page: &Page) -> Result<(), String> {
        let rooms = self.rooms_of.get(user).map(Vec::as_slice).unwrap_or_default();
        let holds = |body: &str| {
            let words: Vec<&str> = body.split(' ').collect();
            parts.iter().all(|part| part.is_in(&words))
        };
        let mut found = HashSet::new();
        let mut last = HashMap::new();
        for Item { message } in &page.items {
            let room =
                self.numbers.get(&message.room).filter(|room| rooms.contains(room)).ok_or("a message of a room that is another's")?;
            if message.body != self.plan.body(*room, message.seq) || !holds(&message.body) {
                return Err(format!("message {} of room {room} does not hold it: {}", message.seq, message.body));
            }
            if !found.insert((*room, message.seq)) || last.insert(*room, message.seq).is_some_and(|before| before < message.seq) {
                return Err(format!("message {} of room {room} is not where it must be", message.seq));
            }
        }
        if page.next.is_some() {
            return Ok(());
        }
        let all = rooms.iter().flat_map(|room| (1..=self.plan.messages).map(move |seq| (*room, seq)));
        let missing = all.filter(|place| !found.contains(place)).find(|(room, seq)| holds(&self.plan.body(*room, *seq)));
        missing.map_or(Ok(()), |(room, seq)| Err(format!("message {seq} of room {room} is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_or_told_why_not() {
        let plan = SeedPlan::new(50, 2, 20, None, BODY).unwrap().in_words();
        let expected = Expected::new(&plan, (0..50).map(|room| format!("room{room}")));
        let (user, parts) = (plan.member(3, 0), [Part::Word(word(1))]);
        let all = expected.rooms_of[user].iter().flat_map(|room| (1..=20).rev().map(move |seq| (*room, seq)));
        let items: Vec<Item> = all
            .map(|(room, seq)| Message { room: format!("room{room}"), seq, body: plan.body(room, seq) })
            .filter(|message| message.body.split(' ').any(|one| one == word(1)))
            .map(|message| Item { message })
            .collect();
        assert!(items.len() > 3);
        let right = Page { items, next: None };
        let verdict = |page: &Page| expected.check(user, &parts, page);
        assert_eq!(verdict(&right), Ok(()));
        let spoiled = |spoil: &dyn Fn(&mut Page)| {
            let mut page = right.clone();
            spoil(&mut page);
            verdict(&page)
        };
        assert!(spoiled(&|page| drop(page.items.pop())).unwrap_err().contains("is missing"));
        assert_eq!(spoiled(&|page| (page.next = Some("x".to_owned()), page.items.pop()).1.map_or((), drop)), Ok(()));
        assert!(spoiled(&|page| page.items[0].message.body.push('x')).unwrap_err().contains("does not hold it"));
        assert!(spoiled(&|page| page.items.reverse()).unwrap_err().contains("is not where it must be"));
        assert!(spoiled(&|page| page.items.push(page.items[0].clone())).unwrap_err().contains("is not where it must be"));
        let anothers = (0..50).find(|room| !expected.rooms_of[user].contains(room)).unwrap();
        assert!(spoiled(&|page| page.items[0].message.room = format!("room{anothers}")).unwrap_err().contains("another's"));
    }
}
