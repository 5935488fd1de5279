//! How often somebody may do something: a token bucket for each key, in bounded memory.

use contract::{Clock, Time};
use lru::LruCache;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Most keys that are remembered. Past it the key that was used the longest time ago is forgotten, and starts with a full bucket again.
const KEYS: usize = 100_000;

/// A token bucket for each key: `burst` at once, then `rate` a second.
///
/// Kept as one number a key (the generic cell rate algorithm): the time at which the bucket will be full again. Who is full is
/// forgotten, so memory follows those who are active.
pub struct Buckets<K> {
    /// Milliseconds that one call costs; 0 where there is no limit.
    cost: f64,
    /// How many a full bucket holds.
    holds: u32,
    /// Milliseconds of debt that a key may have.
    burst: f64,
    clock: Clock,
    full_at: Mutex<LruCache<K, f64>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Buckets that hold `burst` (at least 1) and fill at `rate` a second; a rate of 0 (or less) is no limit.
    pub fn new(rate: f64, burst: u32, clock: Clock) -> Self {
        let cost = if rate > 0.0 { 1_000.0 / rate } else { 0.0 };
        let holds = burst.max(1);
        Self { cost, holds, burst: cost * f64::from(holds), clock, full_at: Mutex::new(LruCache::unbounded()) }
    }

    /// Takes one from the key's bucket.
    ///
    /// # Errors
    /// How long to wait until there is one again; nothing was taken then.
    pub fn take(&self, key: &K) -> Result<(), Duration> {
        self.take_many(key, 1).map(|_| ())
    }

    /// Takes several at once, or none. More than the bucket holds count as all that it holds; the answer is how many were taken.
    ///
    /// # Errors
    /// How long to wait until there are so many; nothing was taken then.
    pub fn take_many(&self, key: &K, count: u32) -> Result<u32, Duration> {
        if self.cost == 0.0 {
            return Ok(0);
        }
        let count = count.min(self.holds);
        let now = in_ms(self.clock.now());
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = self.debt_until(full_at.get(key), now) + self.cost * f64::from(count);
        let over = after - now - self.burst;
        // Less than a microsecond too early is the rounding of fractions.
        if over > 0.001 {
            return Err(Duration::from_secs_f64(over / 1_000.0));
        }
        if full_at.put(key.clone(), after).is_none() {
            forget(&mut full_at, now);
        }
        Ok(count)
    }

    /// Whether one could be taken now; takes none.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        if self.cost == 0.0 {
            return Ok(());
        }
        let now = in_ms(self.clock.now());
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let over = self.debt_until(full_at.peek(key), now) + self.cost - now - self.burst;
        if over > 0.001 { Err(Duration::from_secs_f64(over / 1_000.0)) } else { Ok(()) }
    }

    /// Takes one whether or not there is one: for what has happened already. A key owes one whole burst at the most.
    pub fn charge(&self, key: &K) {
        if self.cost == 0.0 {
            return;
        }
        let now = in_ms(self.clock.now());
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (self.debt_until(full_at.get(key), now) + self.cost).min(now + 2.0 * self.burst);
        if full_at.put(key.clone(), after).is_none() {
            forget(&mut full_at, now);
        }
    }

    /// Puts one back that turned out not to count.
    pub fn give_back(&self, key: &K) {
        self.give_back_many(key, 1);
    }

    /// Puts some back that turned out not to count.
    pub fn give_back_many(&self, key: &K, count: u32) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = full_at.peek_mut(key) {
            *at -= self.cost * f64::from(count);
        }
    }

    /// When the key's bucket is full again. A clock that was set back must not lock anybody out for longer than what can be owed.
    fn debt_until(&self, full_at: Option<&f64>, now: f64) -> f64 {
        full_at.map_or(now, |at| at.clamp(now, now + 2.0 * self.burst))
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A new key pays for tidying: the two that were used the longest time ago go if they are full, one goes in any case past the bound.
fn forget<K: Hash + Eq>(full_at: &mut LruCache<K, f64>, now: f64) {
    for _ in 0..2 {
        if full_at.len() > KEYS || full_at.peek_lru().is_some_and(|(_, at)| *at <= now) {
            full_at.pop_lru();
        }
    }
}

fn in_ms(time: Time) -> f64 {
    time.0 as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    fn hand_turned() -> (Arc<AtomicI64>, Clock) {
        let hand = Arc::new(AtomicI64::new(1_800_000_000_000));
        let read = Arc::clone(&hand);
        (hand, Clock::from_fn(move || Time(read.load(Ordering::Relaxed))))
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (hand, clock) = hand_turned();
        let buckets = Buckets::new(20.0, 60, clock);
        for _ in 0..60 {
            buckets.take(&"a").unwrap();
        }
        assert_eq!(buckets.take(&"a").unwrap_err().as_millis(), 50);
        assert!(buckets.take(&"b").is_ok());
        hand.fetch_add(49, Ordering::Relaxed);
        assert_eq!(buckets.take(&"a").unwrap_err().as_millis(), 1);
        hand.fetch_add(1, Ordering::Relaxed);
        assert!(buckets.take(&"a").is_ok());
        assert!(buckets.take(&"a").is_err());
        hand.fetch_add(3_600_000, Ordering::Relaxed);
        for _ in 0..60 {
            buckets.take(&"a").unwrap();
        }
        assert!(buckets.take(&"a").is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (_, clock) = hand_turned();
        let buckets = Buckets::new(1.0 / 6.0, 2, clock);
        buckets.take(&1).unwrap();
        buckets.take(&1).unwrap();
        assert_eq!(buckets.take(&1).unwrap_err().as_secs(), 6);
        buckets.give_back(&1);
        assert!(buckets.take(&1).is_ok());
        assert!(buckets.take(&1).is_err());
        buckets.give_back(&2);
    }

    #[test]
    fn several_are_taken_together_or_not_at_all() {
        let (_, clock) = hand_turned();
        let buckets = Buckets::new(10.0, 100, clock);
        buckets.take_many(&1, 60).unwrap();
        assert_eq!(buckets.take_many(&1, 50).unwrap_err().as_millis(), 1_000);
        buckets.take_many(&1, 40).unwrap();
        buckets.give_back_many(&1, 30);
        buckets.take_many(&1, 30).unwrap();
        assert!(buckets.check(&1).is_err());
        assert_eq!(buckets.take_many(&2, 1_000), Ok(100), "as much as it holds");
        assert!(buckets.take(&2).is_err());
    }

    #[test]
    fn what_has_happened_is_owed_up_to_one_burst() {
        let (hand, clock) = hand_turned();
        let buckets = Buckets::new(1.0, 5, clock);
        for _ in 0..100 {
            buckets.charge(&1);
        }
        assert_eq!(buckets.check(&1).unwrap_err().as_secs(), 6, "five are owed, and one is wanted");
        assert!(buckets.check(&2).is_ok());
        hand.fetch_add(6_000, Ordering::Relaxed);
        buckets.check(&1).unwrap();
        buckets.check(&1).expect("a check takes nothing");
        buckets.take(&1).unwrap();
        assert!(buckets.check(&1).is_err());
    }

    #[test]
    fn no_rate_is_no_limit_and_remembers_nothing() {
        let (_, clock) = hand_turned();
        let buckets = Buckets::new(0.0, 0, clock);
        assert!((0..1_000).all(|_| buckets.take(&1).is_ok()));
        assert!(buckets.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_follows_the_active() {
        let (hand, clock) = hand_turned();
        let buckets = Buckets::new(1.0, 1, clock);
        for key in 0..KEYS + 1_000 {
            buckets.take(&key).unwrap();
        }
        assert_eq!(buckets.len(), KEYS);
        hand.fetch_add(5_000, Ordering::Relaxed);
        for key in 0..KEYS {
            buckets.take(&(KEYS * 2 + key)).unwrap();
            if key == 1_000 {
                assert!(buckets.len() < KEYS);
            }
        }
        assert!(buckets.len() <= KEYS);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let (hand, clock) = hand_turned();
        let buckets = Buckets::new(1.0, 5, clock);
        buckets.take(&1).unwrap();
        hand.fetch_sub(86_400_000, Ordering::Relaxed);
        assert!(buckets.take(&1).unwrap_err() <= Duration::from_secs(6));
    }
}
