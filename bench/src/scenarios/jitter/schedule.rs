//! When each line is lost, and when its client comes back: drawn for each client from the seed alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::random::Random;

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Its connection is cut.
    Cut,
    /// It comes back.
    Return,
}

/// What happens next, to whom. Times are in microseconds since the run began.
pub struct Schedule {
    every: f64,
    away: f64,
    coming: BinaryHeap<Reverse<(u64, usize, Act)>>,
    random: Vec<Random>,
}

impl Schedule {
    /// Of so many clients, all of them connected. A connection is cut at any moment alike, after `every` seconds on average, so some are
    /// cut while they are still on their way in; its client is away from half of `away` seconds to one and a half.
    pub fn new(seed: u64, clients: usize, every: f64, away: f64) -> Self {
        let random = (0..clients).map(|client| Random::of(seed, client)).collect();
        let mut schedule = Self { every, away, coming: BinaryHeap::new(), random };
        (0..clients).for_each(|client| schedule.after(0, client, Act::Cut));
        schedule
    }

    /// What has become due by now; the time it was due at and what follows from it do not depend on when this is asked.
    pub fn due(&mut self, now: u64) -> Option<(usize, Act)> {
        let Reverse((at, client, act)) = self.coming.peek().copied().filter(|Reverse((at, ..))| *at <= now)?;
        self.coming.pop();
        self.after(at, client, if act == Act::Cut { Act::Return } else { Act::Cut });
        Some((client, act))
    }

    /// Who is away.
    pub fn away(&self) -> impl Iterator<Item = usize> {
        self.coming.iter().filter(|Reverse((.., act))| *act == Act::Return).map(|Reverse((_, client, _))| *client)
    }

    fn after(&mut self, at: u64, client: usize, act: Act) {
        let Some(random) = self.random.get_mut(client) else { return };
        let wait: Duration = if act == Act::Cut { random.wait(self.every) } else { random.about(self.away) };
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.coming.push(Reverse((at.saturating_add(wait), client, act)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(seed: u64, until: u64) -> Vec<(usize, Act)> {
        let mut schedule = Schedule::new(seed, 100, 15.0, 2.0);
        std::iter::from_fn(|| schedule.due(until)).collect()
    }

    #[test]
    fn the_same_seed_is_the_same_storm() {
        assert_eq!(all(7, 60_000_000), all(7, 60_000_000));
        assert_ne!(all(7, 60_000_000), all(8, 60_000_000));
    }

    #[test]
    fn everybody_is_cut_about_so_often_and_comes_back_after_each() {
        let acts = all(7, 600_000_000);
        let cuts = acts.iter().filter(|(_, act)| *act == Act::Cut).count();
        // 100 clients × 600 s / (15 s + 2 s) is 3,529.
        assert!((3_350..3_700).contains(&cuts), "{cuts}");
        for client in 0..100 {
            let own: Vec<_> = acts.iter().filter(|(of, _)| *of == client).map(|(_, act)| *act).collect();
            assert!(own.chunks(2).all(|pair| matches!(pair, [Act::Cut, Act::Return] | [Act::Cut])), "{own:?}");
        }
    }

    #[test]
    fn who_was_cut_last_is_away() {
        let mut schedule = Schedule::new(7, 10, 15.0, 2.0);
        assert_eq!(schedule.away().count(), 0);
        let now = (1..).find(|now| schedule.due(now * 1_000).is_some()).unwrap();
        assert_eq!(schedule.away().count(), 1, "{now}");
    }
}
