//! `rooms`: a database of 1,000 rooms beside one of 1,000,000: latency, memory, time to connect.

mod talk;
mod visit;

use anyhow::Result;

use crate::report::{Cell, Table, charted, column};
use crate::scenario::{Found, Needs, Scenario};
use crate::scenarios::traffic::Outcome;
use crate::seed::{SeedPlan, Seeded, seeded};
use crate::setup::Setup;
use visit::{Cast, Visit, visit};

pub use visit::Course;

/// Few rooms beside many.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// Rooms of the small database.
    pub small: usize,
    /// Rooms of the large one.
    pub large: usize,
    /// Messages in each room.
    pub messages: usize,
    /// Visits to each, in turns.
    pub times: usize,
    /// Rooms in which is talked, at most.
    pub talking: usize,
    /// What is done in each visit.
    pub course: Course,
    /// Whether the databases are made anew even if they are there.
    pub fresh: bool,
}

/// One figure of a visit: key, heading, and how many times that of the small database the large one's may be, where that is said.
struct Measure {
    key: &'static str,
    heading: &'static str,
    allowed: Option<f64>,
    of: fn(&Visit) -> Option<f64>,
}

const MIB: f64 = 1_048_576.0;

/// The bounds: 1.2 for latencies of acknowledgements and connections, 1.1 for memory.
#[allow(clippy::cast_precision_loss)]
const MEASURES: [Measure; 15] = [
    Measure { key: "start_ms", heading: "start ms", allowed: None, of: |v| Some(v.start.as_secs_f64() * 1e3) },
    Measure {
        key: "resident_start_mib",
        heading: "resident after start MiB",
        allowed: Some(1.1),
        of: |v| Some(v.at_start.resident as f64 / MIB),
    },
    Measure {
        key: "anonymous_start_mib",
        heading: "anonymous after start MiB",
        allowed: Some(1.1),
        of: |v| Some(v.at_start.anonymous as f64 / MIB),
    },
    Measure { key: "first_connect_p50_ms", heading: "first connect p50 ms", allowed: Some(1.2), of: |v| v.first.percentile(50.0) },
    Measure { key: "connect_p50_ms", heading: "connect p50 ms", allowed: Some(1.2), of: |v| v.all.percentile(50.0) },
    Measure { key: "connect_p99_ms", heading: "connect p99 ms", allowed: Some(1.2), of: |v| v.all.percentile(99.0) },
    Measure { key: "connect_cpu_us", heading: "CPU µs/connect", allowed: None, of: |v| Some(v.cpu_per_connect * 1e6) },
    Measure { key: "ack_p50_ms", heading: "ack p50 ms", allowed: Some(1.2), of: |v| v.paced.ack.percentile(50.0) },
    Measure { key: "ack_p99_ms", heading: "ack p99 ms", allowed: Some(1.2), of: |v| v.paced.ack.percentile(99.0) },
    Measure { key: "ack_cpu_us", heading: "CPU µs/ack", allowed: None, of: |v| per_ack(&v.paced) },
    Measure {
        key: "closed_acks_per_second",
        heading: "closed acked/s",
        allowed: None,
        of: |v| Some(v.closed.acks as f64 / v.closed.seconds),
    },
    Measure { key: "closed_ack_p99_ms", heading: "closed ack p99 ms", allowed: None, of: |v| v.closed.ack.percentile(99.0) },
    Measure { key: "closed_ack_cpu_us", heading: "closed CPU µs/ack", allowed: None, of: |v| per_ack(&v.closed) },
    Measure { key: "resident_end_mib", heading: "resident at end MiB", allowed: Some(1.1), of: |v| Some(v.at_end.resident as f64 / MIB) },
    Measure {
        key: "anonymous_end_mib",
        heading: "anonymous at end MiB",
        allowed: Some(1.1),
        of: |v| Some(v.at_end.anonymous as f64 / MIB),
    },
];

#[allow(clippy::cast_precision_loss)]
fn per_ack(outcome: &Outcome) -> Option<f64> {
    outcome.cpu.filter(|_| outcome.acks > 0).map(|cpu| cpu * 1e6 / outcome.acks as f64)
}

impl Scenario for Rooms {
    fn name(&self) -> &'static str {
        "rooms"
    }

    fn needs(&self) -> Needs {
        Needs::OwnServer("must know what is in the database")
    }

    fn run(&self, setup: &Setup) -> Result<Found> {
        let database = |rooms| seeded(SeedPlan::new(rooms, 2, self.messages, None, 100)?, self.fresh);
        let (small, large) = (database(self.small)?, database(self.large)?);
        let copies = [small.copy()?, large.copy()?];
        let cast = Cast::of(&small.plan, &large.plan, self.course.connects, self.talking);
        let mut visits: [Vec<Visit>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..self.times {
            for ((seeded, copy), visits) in [&small, &large].into_iter().zip(&copies).zip(&mut visits) {
                visits.push(visit(setup, self.course, seeded, copy, &cast)?);
            }
        }
        let sound =
            visits.iter().flatten().all(|visit| [&visit.paced, &visit.closed].iter().all(|o| o.missing + o.misplaced + o.refused == 0));
        let both = [&small, &large].into_iter().zip(&visits);
        let tables = vec![each(both.clone()), beside([&small, &large], &visits, &cast, self)];
        Ok(Found { tables, sound })
    }
}

/// A row a visit, in the order in which they were made.
fn each<'a>(both: impl Iterator<Item = (&'a Seeded, &'a Vec<Visit>)> + Clone) -> Table {
    let mut columns = vec![column("rooms", "rooms")];
    columns.extend(MEASURES.iter().map(|measure| column(measure.key, measure.heading)));
    columns.extend([
        column("acked", "acked"),
        column("missing", "missing"),
        column("misplaced", "out of order"),
        column("refused", "refused"),
    ]);
    let mut table = Table::new("Each visit", &columns);
    let times = both.clone().map(|(_, visits)| visits.len()).min().unwrap_or(0);
    for time in 0..times {
        for (seeded, visit) in both.clone().filter_map(|(seeded, visits)| Some((seeded, visits.get(time)?))) {
            let mut row: Vec<Cell> = vec![seeded.plan.rooms.into()];
            row.extend(MEASURES.iter().map(|measure| Cell::maybe((measure.of)(visit))));
            let (one, other) = (&visit.paced, &visit.closed);
            row.extend(
                [one.acked + other.acked, one.missing + other.missing, one.misplaced + other.misplaced, one.refused + other.refused]
                    .map(Cell::Count),
            );
            let refusals = [one, other].into_iter().filter_map(|outcome| outcome.refusal.as_ref());
            table
                .notes
                .extend(refusals.map(|refusal| format!("{} rooms: messages were refused, the first with {refusal}", seeded.plan.rooms)));
            table.rows.push(row);
        }
    }
    table
}

/// The medians beside each other, their ratio, and the ratios of visits that followed one another.
fn beside(databases: [&Seeded; 2], visits: &[Vec<Visit>; 2], cast: &Cast, rooms: &Rooms) -> Table {
    let columns = [
        column("measure", "measure"),
        column("small", "small"),
        column("large", "large"),
        charted("ratio", "large/small"),
        column("least", "least"),
        column("most", "most"),
        column("allowed", "allowed"),
        column("within", "within"),
    ];
    let [small, large] = databases;
    let title = format!("{} rooms beside {}", Cell::from(large.plan.rooms).shown(), Cell::from(small.plan.rooms).shown());
    let mut table = Table::new(title, &columns);
    let [few, many] = visits;
    for measure in &MEASURES {
        let figures = |visits: &[Visit]| -> Vec<f64> { visits.iter().filter_map(measure.of).collect() };
        let (small, large) = (figures(few), figures(many));
        let ratios: Vec<f64> = small.iter().zip(&large).filter(|(small, _)| **small > 0.0).map(|(small, large)| large / small).collect();
        let (one, other) = (median(&small), median(&large));
        let ratio = one.zip(other).filter(|(small, _)| *small > 0.0).map(|(small, large)| large / small);
        let within =
            measure.allowed.zip(ratio).map_or(Cell::Nothing, |(allowed, ratio)| if ratio <= allowed { "yes" } else { "no" }.into());
        table.rows.push(vec![
            measure.heading.into(),
            Cell::maybe(one),
            Cell::maybe(other),
            Cell::maybe(ratio),
            Cell::maybe(ratios.iter().copied().reduce(f64::min)),
            Cell::maybe(ratios.iter().copied().reduce(f64::max)),
            Cell::maybe(measure.allowed),
            within,
        ]);
    }
    #[allow(clippy::cast_precision_loss)]
    let sizes = databases.map(|seeded| seeded.size() as f64 / MIB);
    table.notes.push(format!(
        "Medians of {} visits each, in turns; least and most are the ratios of visits that followed one another. Each visit is a server of its own: \
         the same {} users, who are in as many rooms in both, connect {} times in all, then talk in the same {} of their rooms, at {}/s and then with \
         one message outstanding in each. Files of {:.1} and {:.0} MiB.",
        rooms.times,
        cast.users,
        cast.users * rooms.course.connects.div_ceil(cast.users).max(1),
        cast.pairs.len(),
        rooms.course.rate,
        sizes.first().unwrap_or(&0.0),
        sizes.last().unwrap_or(&0.0)
    ));
    table
}

fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied()?;
    if sorted.len() % 2 == 1 { Some(upper) } else { sorted.get(middle.wrapping_sub(1)).map(|lower| (lower + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
