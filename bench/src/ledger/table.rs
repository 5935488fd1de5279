//! What a run found: the tables, and the reasons why it is not sound.

use std::collections::BTreeMap;

use super::accounts::{ChangeTotals, Totals};
use super::timeline::Timeline;
use super::topology::Topology;
use crate::latency::Latency;
use crate::report::{Cell, Column, Table, column};

/// All that a run found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed that was drawn from.
    pub seed: u64,
    /// What could happen, and to what.
    pub topology: Topology,
    /// How long the faults and what had to be waited for after them took, in seconds.
    pub seconds: f64,
    /// Users and rooms.
    pub size: (usize, usize),
    /// The sums.
    pub totals: Totals,
    /// The same of what was done to messages.
    pub changes: ChangeTotals,
    /// How often each code was answered.
    pub codes: BTreeMap<String, u64>,
    /// The faults.
    pub timeline: Timeline,
    /// How often somebody left a room and came back.
    pub rounds: u64,
    /// Connections that the server left without an answer for 20 s.
    pub given_up: usize,
    /// Connections that the clients lost.
    pub lost: u64,
    /// Events `error`, by their code.
    pub errors: BTreeMap<String, u64>,
    /// Connections that the proxy cut.
    pub cuts: u64,
    /// Starts of the server that failed, and were tried again.
    pub not_started: usize,
    /// Whether `guild check` found all promises kept, and what it printed.
    pub check: (bool, String),
    /// How many acknowledged messages were expected at the least.
    pub least: u64,
    /// How many kills.
    pub kills: u64,
}

const FAULTS: [Column; 8] = [
    column("fault", "fault"),
    column("times", "times"),
    column("lasted_p50_s", "lasted p50 s"),
    column("busy", "sends answered `busy`"),
    column("ack_p50_s", "first ack after it p50 s"),
    column("ack_max_s", "max s"),
    column("back_p50_s", "everybody back p50 s"),
    column("back_max_s", "max s"),
];

const ACCOUNTS: [Column; 7] = [
    column("what", "what"),
    column("count", "count"),
    column("lost", "lost"),
    column("doubled", "doubled"),
    column("reordered", "reordered"),
    column("changed", "changed"),
    column("strayed", "strayed"),
];

const CHANGES: [Column; 6] = [
    column("changes_acked", "acknowledged"),
    column("conflicts", "conflicts"),
    column("changes_lost", "lost"),
    column("changes_refused", "refused or never settled"),
    column("compared", "messages compared on screens"),
    column("diverged", "diverged"),
];

const SENDS: [Column; 2] = [column("what", "what"), column("count", "count")];

impl Outcome {
    /// Why the run does not prove what it must; nothing where it does.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut unless = |fine: bool, words: &dyn Fn() -> String| {
            if !fine {
                complaints.push(words());
            }
        };
        unless(self.totals.is_sound() && self.changes.is_sound(), &|| "the accounts do not add up".to_owned());
        unless(self.changes.acked > 0 && self.changes.compared > 0, &|| "no message was changed".to_owned());
        unless(self.check.0, &|| format!("`guild check` found breaches:\n{}", self.check.1));
        unless(self.given_up == 0, &|| format!("{} connections were left without an answer for 20 s", self.given_up));
        unless(!self.codes.contains_key("internal"), &|| "the server answered `internal`".to_owned());
        let acked = self.totals.acked;
        unless(acked >= self.least, &|| format!("{acked} messages were acknowledged, {} at the least were expected", self.least));
        unless(self.totals.refused > 0, &|| "no stranger was refused".to_owned());
        for kind in self.topology.menu().kinds.iter().copied() {
            unless(self.timeline.of(kind).count > 0, &|| format!("a fault did not occur: {}", kind.words()));
        }
        let kills = self.timeline.kills();
        unless(kills >= self.kills, &|| format!("{kills} kills were done, {} were planned", self.kills));
        for kind in self.topology.noticed().iter().copied() {
            unless(self.timeline.of(kind).busy > 0, &|| format!("nobody noticed: {}", kind.words()));
        }
        unless(self.cuts > 0, &|| "the proxy cut nothing".to_owned());
        complaints
    }

    /// As tables: the faults, the accounts, what else was counted.
    pub fn tables(&self) -> Vec<Table> {
        let title = format!("Faults: {} in {:.0} s, seed {}", self.timeline.count(), self.seconds, self.seed);
        let mut faults = Table::new(title, &FAULTS);
        for kind in self.topology.menu().kinds.iter().copied() {
            let times = self.timeline.of(kind);
            let mut row: Vec<Cell> = vec![kind.words().into(), times.count.into(), seconds(&times.lasted, 50.0), times.busy.into()];
            row.extend([&times.first_ack, &times.everybody].iter().flat_map(|latency| [50.0, 100.0].map(|at| seconds(latency, at))));
            faults.rows.push(row);
        }
        faults.notes.push(self.topology.about_faults().to_owned());
        let totals = &self.totals;
        let mut accounts = Table::new("Accounts", &ACCOUNTS);
        let messages = [totals.acked, totals.lost, totals.doubled, totals.reordered, totals.changed, totals.strayed];
        accounts.rows.push(std::iter::once("messages acknowledged".into()).chain(messages.map(Cell::Count)).collect());
        let deliveries = [totals.delivered, totals.undelivered, totals.doubled_deliveries, totals.late].map(Cell::Count);
        accounts
            .rows
            .push(std::iter::once("deliveries to members".into()).chain(deliveries).chain([Cell::Nothing, Cell::Nothing]).collect());
        accounts.notes.push(
            "Messages and their changes count as deliveries alike. Lost: acknowledged and not in the log; not delivered to a member. Doubled: in the log twice; delivered twice to a client, over all \
             its connections. Reordered: behind a message that was sent after this one's acknowledgement, whoever sent it; delivered late \
             or under another seq than the log has. Changed: another text, sender or room. Strayed: refused and yet in the log, delivered to \
             who was away, in no account."
                .to_owned(),
        );
        let mut changes = Table::new("Changes of messages: edits, deletions, reactions, pins", &CHANGES);
        let counted = &self.changes;
        let counts = [
            counted.acked,
            counted.conflicts,
            counted.lost,
            counted.wrongly_refused + counted.unanswered,
            counted.compared,
            counted.diverged,
        ];
        changes.rows.push(counts.map(Cell::Count).to_vec());
        changes.notes.push(
            "Conflicts: edits and reactions of messages that were deleted meanwhile, edits past the hundredth, pins past the hundredth. Lost: acknowledged, and the log has nothing of it. \
             Compared: messages as the screens of members show them, each keeping the state with the higher rev, with those that the log has at the end; members who were away are left \
             out. Diverged: another text, rev or reactions."
                .to_owned(),
        );
        let (users, rooms) = self.size;
        let mut sends = Table::new(format!("Sends of {users} users in {rooms} rooms of 2 to 20"), &SENDS);
        let mut row = |words: &str, count: u64| sends.rows.push(vec![words.into(), count.into()]);
        row("messages sent", totals.sent);
        row("tries, with the same nonce", totals.attempts);
        row("acknowledged", totals.acked);
        row("refused: strangers, as they must be", totals.refused);
        row("refused: members", totals.wrongly_refused);
        row("never settled", totals.unanswered);
        for (code, count) in &self.codes {
            row(&format!("answers `{code}`"), *count);
        }
        for (code, count) in &self.errors {
            row(&format!("events `error` with `{code}`, and then cut by the server"), *count);
        }
        row("times that a member left a room and came back", self.rounds);
        row("connections lost by the clients", self.lost);
        row("connections without an answer for 20 s", self.given_up as u64);
        row("`resync`s (a client more than 5,000 events behind)", totals.resyncs);
        row("starts of a server that failed under a fault, and were tried again", self.not_started as u64);
        sends.notes.push(format!("`guild check`: {}", self.check.1.lines().last().unwrap_or("no answer")));
        vec![faults, accounts, changes, sends]
    }
}

fn seconds(latency: &Latency, percentile: f64) -> Cell {
    Cell::maybe(latency.percentile(percentile).map(|millis| millis / 1_000.0))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn fine(topology: Topology) -> Outcome {
        let mut timeline = Timeline::default();
        for (number, kind) in topology.menu().kinds.iter().copied().enumerate() {
            timeline.began(number, kind, Instant::now());
            timeline.busy();
            timeline.ended(number, Instant::now() + Duration::from_secs(1));
        }
        Outcome {
            seed: 1,
            topology,
            seconds: 10.0,
            size: (2, 1),
            totals: Totals { sent: 11, attempts: 12, acked: 10, refused: 1, delivered: 20, ..Totals::default() },
            changes: ChangeTotals { asked: 3, acked: 2, conflicts: 1, compared: 20, ..ChangeTotals::default() },
            codes: BTreeMap::from([("busy".to_owned(), 1)]),
            timeline,
            rounds: 0,
            given_up: 0,
            lost: 3,
            errors: BTreeMap::new(),
            cuts: 3,
            not_started: 0,
            check: (true, "all promises are kept".to_owned()),
            least: 10,
            kills: 1,
        }
    }

    #[test]
    fn a_run_that_proves_something_has_no_complaints() {
        for topology in [Topology::Single, Topology::Cluster] {
            assert_eq!(fine(topology).complaints(), Vec::<String>::new());
            assert!(fine(topology).tables().iter().all(|table| table.rows.iter().all(|row| row.len() == table.columns.len())));
        }
    }

    #[test]
    fn a_run_that_proves_nothing_says_so() {
        let fine = || fine(Topology::Single);
        let too_few = Outcome { least: 11, ..fine() };
        let no_fault = Outcome { timeline: Timeline::default(), ..fine() };
        let no_cut = Outcome { cuts: 0, ..fine() };
        let too_few_kills = Outcome { kills: 2, ..fine() };
        let breach = Outcome { check: (false, String::new()), ..fine() };
        let lost = Outcome { totals: Totals { lost: 1, ..fine().totals }, ..fine() };
        let hung = Outcome { given_up: 1, ..fine() };
        for (outcome, words) in [
            (too_few, "11 at the least"),
            (no_fault, "did not occur"),
            (no_cut, "cut nothing"),
            (too_few_kills, "2 were planned"),
            (breach, "breaches"),
            (lost, "do not add up"),
            (hung, "without an answer"),
        ] {
            let complaints = outcome.complaints();
            assert!(complaints.iter().any(|complaint| complaint.contains(words)), "{words}: {complaints:?}");
        }
    }
}
