//! Which faults, in which order, for how long: drawn from the seed alone, so that the same seed is the same plan.

mod kind;

use std::time::Duration;

pub use kind::{CLUSTER, Kind, Menu, SINGLE, Service};

use crate::random::Random;

/// How the proxy cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knife {
    /// RST to both sides.
    Reset,
    /// FIN to both sides.
    Close,
    /// A part of what comes next is passed on, and then RST or FIN.
    MidFrame,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// How long.
    pub lasts: Duration,
    /// Of a hundred connections, how many a cut or a stall hits.
    pub share: usize,
    /// How a cut is made.
    pub knife: Knife,
    /// Which of those that it may hit: this number's remainder by how many there are.
    pub which: u64,
    /// Whether a stall holds what the server sends, and not what the clients send.
    pub to_clients: bool,
    /// Since the fault before began; nothing where this one waits until that one is over and the service is back.
    pub into_last: Option<Duration>,
    /// Otherwise: at least this long since the one before began.
    pub after: Duration,
}

/// When a plan ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so many kills.
    Kills(usize),
    /// After so many seconds, counted without what restarts take.
    Seconds(u64),
}

/// The faults of this seed. Each kind occurs, alone at first; later ones may overlap with the one before.
pub fn plan(seed: u64, every: Duration, until: Until, menu: &Menu) -> Vec<Fault> {
    let mut random = Random::new(seed);
    let mut faults: Vec<Fault> = Vec::new();
    let mut first = menu.kinds.to_vec();
    random.shuffle(&mut first);
    faults.extend(first.into_iter().map(|kind| draw(&mut random, kind, every)));
    let mut pairs = menu.into.to_vec();
    random.shuffle(&mut pairs);
    let mut pairs = pairs.into_iter();
    while !is_over(&faults, until) {
        if let Some((before, then)) = pairs.next().or_else(|| {
            let drawn = random.percent(15).then(|| random.below(menu.into.len()));
            drawn.and_then(|pair| menu.into.get(pair).copied())
        }) {
            let mut before = draw(&mut random, before, every);
            let into = Duration::from_millis(random.between(200, 900) as u64);
            let mut then = draw(&mut random, then, every);
            if before.kind.is_awaited() {
                // While everybody comes back.
                then.into_last = Some(before.lasts + into);
            } else {
                before.lasts = before.lasts.max(Duration::from_millis(1_000));
                then.into_last = Some(into);
            }
            faults.extend([before, then]);
        } else {
            // Kills are what this is most about.
            let kinds = if random.percent(35) { menu.kills } else { menu.kinds };
            faults.extend(any(&mut random, kinds).map(|kind| draw(&mut random, kind, every)));
        }
    }
    faults
}

fn any(random: &mut Random, kinds: &[Kind]) -> Option<Kind> {
    // Nothing is drawn where there is no choice.
    let place = if kinds.len() > 1 { random.below(kinds.len()) } else { 0 };
    kinds.get(place).copied()
}

fn draw(random: &mut Random, kind: Kind, every: Duration) -> Fault {
    let knife = match random.below(3) {
        0 => Knife::Reset,
        1 => Knife::Close,
        _ => Knife::MidFrame,
    };
    Fault {
        kind,
        lasts: Duration::from_millis(kind.lasts(random) as u64),
        share: if random.percent(40) { 100 } else { random.between(10, 70) },
        knife,
        to_clients: random.percent(60),
        into_last: None,
        after: every.mul_f64(random.between(70, 130) as f64 / 100.0),
        which: if kind.has_choice() { random.next() } else { 0 },
    }
}

fn is_over(faults: &[Fault], until: Until) -> bool {
    match until {
        Until::Kills(kills) => kills_of(faults) >= kills,
        Until::Seconds(seconds) => length(faults) >= Duration::from_secs(seconds),
    }
}

/// How many kills a plan has.
pub fn kills_of(faults: &[Fault]) -> usize {
    faults.iter().filter(|fault| fault.kind.is_kill()).count()
}

/// How long a plan takes, without what restarts take.
pub fn length(faults: &[Fault]) -> Duration {
    faults.iter().map(|fault| fault.into_last.unwrap_or_else(|| fault.after.max(fault.lasts + BREATH))).sum()
}

/// After a fault nothing happens for this long.
pub const BREATH: Duration = Duration::from_millis(750);

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(3);
    const MENUS: [Menu; 2] = [SINGLE, CLUSTER];

    fn of(faults: &[Fault], kind: Kind) -> usize {
        faults.iter().filter(|fault| fault.kind == kind).count()
    }

    #[test]
    fn the_same_seed_is_the_same_plan_and_another_seed_another() {
        for menu in &MENUS {
            assert_eq!(plan(7, EVERY, Until::Kills(25), menu), plan(7, EVERY, Until::Kills(25), menu));
            assert_ne!(plan(7, EVERY, Until::Kills(25), menu), plan(8, EVERY, Until::Kills(25), menu));
        }
    }

    #[test]
    fn every_kind_occurs_whatever_the_seed_and_no_other() {
        for (seed, menu) in (0..200).flat_map(|seed| MENUS.iter().map(move |menu| (seed, menu))) {
            for until in [Until::Kills(3), Until::Seconds(1), Until::Kills(30)] {
                let faults = plan(seed, EVERY, until, menu);
                assert!(menu.kinds.iter().all(|kind| of(&faults, *kind) > 0), "{seed}: {faults:?}");
                assert!(faults.iter().all(|fault| menu.kinds.contains(&fault.kind)), "{seed}: {faults:?}");
            }
        }
    }

    #[test]
    fn a_long_plan_has_the_kills_asked_for_and_every_overlap() {
        for (seed, menu) in (0..50).flat_map(|seed| MENUS.iter().map(move |menu| (seed, menu))) {
            let faults = plan(seed, EVERY, Until::Kills(35), menu);
            assert!((35..=36).contains(&kills_of(&faults)), "{seed}");
            for (before, then) in menu.into {
                let meets = |pair: &[Fault]| pair[0].kind == *before && pair[1].kind == *then && pair[1].into_last.is_some();
                assert!(faults.windows(2).any(meets), "{seed}: {before:?} {then:?}");
            }
            let inside = |pair: &[Fault]| pair[1].into_last.is_none_or(|into| (into < pair[0].lasts) != pair[0].kind.is_awaited());
            assert!(faults.windows(2).all(inside), "{seed}");
        }
    }

    #[test]
    fn each_of_two_instances_is_hit() {
        let faults = plan(1, EVERY, Until::Kills(300), &CLUSTER);
        for kind in CLUSTER.kinds.iter().filter(|kind| kind.has_choice()) {
            let hits = |which| faults.iter().any(|fault| fault.kind == *kind && fault.which % 2 == which);
            assert!(hits(0) && hits(1), "{kind:?}");
        }
    }

    #[test]
    fn a_plan_by_seconds_is_about_as_long() {
        for seed in 0..50 {
            let seconds = length(&plan(seed, EVERY, Until::Seconds(60), &SINGLE)).as_secs();
            assert!((60..75).contains(&seconds), "{seed}: {seconds}");
        }
    }
}
