//! Numbers that look random and are the same for the same seed: splitmix64 (Steele, Lea, Flood 2014), whose every seed is a good one.

use std::time::Duration;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for the `number`th of many, which takes nothing from the others.
    pub fn of(seed: u64, number: usize) -> Self {
        Self(Self(seed ^ (number as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)).next())
    }

    /// A seed that nobody has chosen: the clock's nanoseconds.
    pub fn any_seed() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::from(since.subsec_nanos()) ^ since.as_secs().rotate_left(32)).next() & 0xffff_ffff
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1, without 1.
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below this one (0 where it is 0). Its bias, of `end` in 2^64, shows nowhere here.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from((u128::from(self.next()) * end as u128) >> 64).unwrap_or(0)
    }

    /// A whole number from `first` to `last`, both included.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last.saturating_sub(first).saturating_add(1))
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Puts them in any order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
    }

    /// How long until something happens that happens at any moment alike, and on average after so many seconds (exponential).
    pub fn wait(&mut self, mean: f64) -> Duration {
        seconds(-(1.0 - self.unit()).ln() * mean)
    }

    /// About so many seconds: from half of it to one and a half.
    pub fn about(&mut self, mean: f64) -> Duration {
        seconds((0.5 + self.unit()) * mean)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected, [random.next(), random.next(), random.next()]);
    }

    #[test]
    fn waits_have_the_mean_that_was_asked_for() {
        let mut random = Random::of(7, 3);
        let mean = |draw: &mut dyn FnMut() -> Duration| (0..20_000).map(|_| draw().as_secs_f64()).sum::<f64>() / 20_000.0;
        let wait = mean(&mut || random.wait(15.0));
        assert!((14.5..15.5).contains(&wait), "{wait}");
        let about = mean(&mut || random.about(2.0));
        assert!((1.98..2.02).contains(&about), "{about}");
    }

    #[test]
    fn choices_stay_within_their_bounds_and_use_all_of_them() {
        let mut random = Random::new(9);
        let mut seen = [0; 4];
        (0..1_000).for_each(|_| seen[random.between(2, 5) - 2] += 1);
        assert!(seen.iter().all(|count| (150..350).contains(count)), "{seen:?}");
        assert_eq!(random.below(0), 0);
        let often = (0..1_000).filter(|_| random.percent(20)).count();
        assert!((150..250).contains(&often), "{often}");
        let mut things = [1, 2, 3, 4, 5, 6, 7, 8];
        random.shuffle(&mut things);
        assert_ne!(things, [1, 2, 3, 4, 5, 6, 7, 8]);
        things.sort_unstable();
        assert_eq!(things, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
