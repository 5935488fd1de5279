//! When each kind of fault was, and how long the service was away after it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::plan::Kind;
use crate::latency::Latency;

/// What is known of one kind.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// How often it occurred.
    pub count: u64,
    /// From its beginning to its end.
    pub lasted: Latency,
    /// From its end to the next acknowledgement of anybody.
    pub first_ack: Latency,
    /// From its end until every client was in again.
    pub everybody: Latency,
    /// Sends refused as `busy` while it lasted, and after it until the next acknowledgement.
    pub busy: u64,
}

/// All kinds that have occurred.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    kinds: BTreeMap<Kind, Times>,
    lasting: Vec<(usize, Kind, Instant)>,
    without_ack: Vec<(Kind, Instant)>,
    without_all: Vec<(Kind, Instant)>,
    last_in: Option<Instant>,
}

/// A client needs a moment to notice that it was cut: before that it cannot be said that everybody is in.
const NOTICED: Duration = Duration::from_millis(500);

impl Timeline {
    /// What is known of a kind; empty where it has not occurred.
    pub fn of(&self, kind: Kind) -> Times {
        self.kinds.get(&kind).cloned().unwrap_or_default()
    }

    /// How many kills have begun, of whatever.
    pub fn kills(&self) -> u64 {
        self.kinds.iter().filter(|(kind, _)| kind.is_kill()).map(|(_, times)| times.count).sum()
    }

    fn kind(&mut self, kind: Kind) -> &mut Times {
        self.kinds.entry(kind).or_default()
    }

    /// The fault of this number begins.
    pub fn began(&mut self, number: usize, kind: Kind, at: Instant) {
        self.kind(kind).count += 1;
        self.lasting.push((number, kind, at));
    }

    /// It is over.
    pub fn ended(&mut self, number: usize, at: Instant) {
        if let Some(place) = self.lasting.iter().position(|(lasting, ..)| *lasting == number) {
            let (_, kind, began) = self.lasting.swap_remove(place);
            self.kind(kind).lasted.add(began, at);
            self.without_ack.push((kind, at));
            self.without_all.push((kind, at));
        }
    }

    /// How many have begun.
    pub fn count(&self) -> u64 {
        self.kinds.values().map(|times| times.count).sum()
    }

    /// A message was acknowledged.
    pub fn acked(&mut self, now: Instant) {
        while let Some((kind, ended)) = self.without_ack.pop() {
            self.kind(kind).first_ack.add(ended, now);
        }
    }

    /// A send was refused as `busy`.
    pub fn busy(&mut self) {
        for (_, kind, _) in &self.lasting {
            self.kinds.entry(*kind).or_default().busy += 1;
        }
        for (kind, _) in &self.without_ack {
            self.kinds.entry(*kind).or_default().busy += 1;
        }
    }

    /// Whether the service is back after all faults so far: somebody was answered, and everybody was in.
    pub fn is_settled(&self) -> bool {
        self.lasting.is_empty() && self.without_ack.is_empty() && self.without_all.is_empty()
    }

    /// A client is in.
    pub fn came_in(&mut self, now: Instant) {
        self.last_in = Some(now);
    }

    /// Whether everybody is in now.
    pub fn look(&mut self, now: Instant, everybody: bool) {
        if !everybody {
            return;
        }
        for (kind, ended) in std::mem::take(&mut self.without_all) {
            if now.duration_since(ended) < NOTICED {
                self.without_all.push((kind, ended));
            } else {
                let last_in = self.last_in.unwrap_or(ended);
                self.kind(kind).everybody.add(ended, last_in);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_measured_from_the_end_of_a_fault() {
        let mut timeline = Timeline::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        timeline.began(0, Kind::Kill, at(0));
        timeline.acked(at(10));
        timeline.busy();
        timeline.ended(0, at(1_000));
        timeline.busy();
        timeline.look(at(1_100), true);
        timeline.came_in(at(1_900));
        timeline.acked(at(2_000));
        timeline.busy();
        timeline.acked(at(3_000));
        timeline.look(at(2_500), false);
        assert!(!timeline.is_settled());
        timeline.look(at(2_500), true);
        assert!(timeline.is_settled());
        let kill = timeline.of(Kind::Kill);
        let near = |latency: &Latency, millis: f64| latency.count() == 1 && (latency.percentile(50.0).unwrap() / millis - 1.0).abs() < 0.01;
        assert_eq!((kill.count, kill.busy, timeline.count()), (1, 2, 1));
        assert!(near(&kill.lasted, 1_000.0) && near(&kill.first_ack, 1_000.0) && near(&kill.everybody, 900.0), "{kill:?}");
    }
}
