//! Which faults, in which order, for how long: drawn from the seed alone, so that the same seed is the same plan.

use std::time::Duration;

use crate::random::Random;

/// The kinds of fault, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `kill -9` of the server, and a restart on the same database.
    Kill,
    /// SIGSTOP, and SIGCONT a while later.
    Stop,
    /// Connections cut by the proxy.
    Cut,
    /// Connections through which the proxy passes nothing on for a while, in one direction.
    Stall,
    /// Every write to the database's files fails with ENOSPC.
    Full,
    /// Every sync of the database's files fails with EIO.
    SyncFails,
    /// Another process holds the database's write lock.
    Lock,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Kill, Self::Stop, Self::Cut, Self::Stall, Self::Full, Self::SyncFails, Self::Lock];

    /// What the table calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 of the server, restart",
            Self::Stop => "server stopped (SIGSTOP), continued",
            Self::Cut => "connections cut (reset, closed, mid-frame)",
            Self::Stall => "connections stalled in one direction",
            Self::Full => "disk full (ENOSPC)",
            Self::SyncFails => "syncs fail (EIO)",
            Self::Lock => "database locked by another process",
        }
    }

    /// How long it may last, in milliseconds. For a kill: how long the server stays away. A lock of more than five seconds is longer
    /// than the server's patience, so sends are refused as `busy`.
    fn lasts(self, random: &mut Random) -> usize {
        match self {
            Self::Kill if random.percent(50) => 0,
            Self::Kill => random.between(50, 1_500),
            Self::Cut => 0,
            Self::Stop => random.between(1_000, 4_000),
            Self::Stall => random.between(500, 3_000),
            Self::Full | Self::SyncFails => random.between(1_000, 3_500),
            Self::Lock if random.percent(25) => random.between(5_500, 6_500),
            Self::Lock => random.between(500, 3_000),
        }
    }
}

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

/// Faults that begin while another lasts, each at least once in a plan with room for it: a transaction whose sync failed is still in
/// the write-ahead log when the server is killed; a stopped server dies stopped; one that starts finds its disk full or its file locked;
/// clients that are coming back are cut, or their server is killed, once more.
const INTO: [(Kind, Kind); 7] = [
    (Kind::SyncFails, Kind::Kill),
    (Kind::Stop, Kind::Kill),
    (Kind::Full, Kind::Kill),
    (Kind::Lock, Kind::Kill),
    (Kind::Stop, Kind::Cut),
    (Kind::Kill, Kind::Kill),
    (Kind::Kill, Kind::Cut),
];

/// The faults of this seed. Each kind occurs, alone at first; later ones may overlap with the one before.
pub fn plan(seed: u64, every: Duration, until: Until) -> Vec<Fault> {
    let mut random = Random::new(seed);
    let mut faults: Vec<Fault> = Vec::new();
    let mut first = Kind::ALL;
    random.shuffle(&mut first);
    faults.extend(first.map(|kind| draw(&mut random, kind, every)));
    let mut pairs = INTO;
    random.shuffle(&mut pairs);
    let mut pairs = pairs.into_iter();
    while !is_over(&faults, until) {
        if let Some((before, then)) = pairs.next().or_else(|| {
            let drawn = random.percent(15).then(|| random.below(INTO.len()));
            drawn.and_then(|pair| INTO.get(pair).copied())
        }) {
            let mut before = draw(&mut random, before, every);
            let into = Duration::from_millis(random.between(200, 900) as u64);
            let mut then = draw(&mut random, then, every);
            if before.kind == Kind::Kill {
                // While everybody comes back.
                then.into_last = Some(before.lasts + into);
            } else {
                before.lasts = before.lasts.max(Duration::from_millis(1_000));
                then.into_last = Some(into);
            }
            faults.extend([before, then]);
        } else {
            // Kills are what this is most about.
            let kind = if random.percent(35) { Kind::Kill } else { any(&mut random) };
            faults.push(draw(&mut random, kind, every));
        }
    }
    faults
}

fn any(random: &mut Random) -> Kind {
    let place = random.below(Kind::ALL.len());
    Kind::ALL.get(place).copied().unwrap_or(Kind::Kill)
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
    }
}

fn is_over(faults: &[Fault], until: Until) -> bool {
    match until {
        Until::Kills(kills) => faults.iter().filter(|fault| fault.kind == Kind::Kill).count() >= kills,
        Until::Seconds(seconds) => length(faults) >= Duration::from_secs(seconds),
    }
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

    fn of(faults: &[Fault], kind: Kind) -> usize {
        faults.iter().filter(|fault| fault.kind == kind).count()
    }

    #[test]
    fn the_same_seed_is_the_same_plan_and_another_seed_another() {
        assert_eq!(plan(7, EVERY, Until::Kills(25)), plan(7, EVERY, Until::Kills(25)));
        assert_ne!(plan(7, EVERY, Until::Kills(25)), plan(8, EVERY, Until::Kills(25)));
    }

    #[test]
    fn every_kind_occurs_whatever_the_seed() {
        for seed in 0..200 {
            for until in [Until::Kills(3), Until::Seconds(1)] {
                let faults = plan(seed, EVERY, until);
                assert!(Kind::ALL.into_iter().all(|kind| of(&faults, kind) > 0), "{seed}: {faults:?}");
            }
        }
    }

    #[test]
    fn a_long_plan_has_the_kills_asked_for_and_every_overlap() {
        for seed in 0..50 {
            let faults = plan(seed, EVERY, Until::Kills(25));
            assert!((25..=26).contains(&of(&faults, Kind::Kill)), "{seed}");
            for (before, then) in INTO {
                let meets = |pair: &[Fault]| pair[0].kind == before && pair[1].kind == then && pair[1].into_last.is_some();
                assert!(faults.windows(2).any(meets), "{seed}: {before:?} {then:?}");
            }
            let inside = |pair: &[Fault]| pair[1].into_last.is_none_or(|into| (into < pair[0].lasts) != (pair[0].kind == Kind::Kill));
            assert!(faults.windows(2).all(inside), "{seed}");
        }
    }

    #[test]
    fn a_plan_by_seconds_is_about_as_long() {
        for seed in 0..50 {
            let seconds = length(&plan(seed, EVERY, Until::Seconds(60))).as_secs();
            assert!((60..75).contains(&seconds), "{seed}: {seconds}");
        }
    }
}
