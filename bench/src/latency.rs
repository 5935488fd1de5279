//! Latencies: how long a thousand things took, as percentiles.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::report::Cell;

/// Collects durations to the microsecond, with three significant digits.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        // Three digits are always allowed (the crate takes 0 to 5); a histogram that grows has no other way to fail.
        #[allow(clippy::expect_used)]
        Self(Histogram::new(3).expect("three digits"))
    }
}

impl Latency {
    /// One that took from `since` to `now`.
    pub fn add(&mut self, since: Instant, now: Instant) {
        self.add_duration(now.saturating_duration_since(since));
    }

    /// One that took this long.
    pub fn add_duration(&mut self, took: Duration) {
        self.add_micros(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// One that took this many microseconds.
    pub fn add_micros(&mut self, micros: u64) {
        // It grows with its values, so only a value that no memory could hold is refused.
        let _ = self.0.record(micros.max(1));
    }

    /// All of another's.
    pub fn add_all(&mut self, other: &Self) {
        // It grows with its values, as above.
        let _ = self.0.add(&other.0);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The given percentile (0 to 100) in milliseconds; nothing where nothing was measured.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)]
        (self.count() > 0).then(|| self.0.value_at_percentile(percentile) as f64 / 1_000.0)
    }

    /// The same as a cell.
    pub fn cell(&self, percentile: f64) -> Cell {
        Cell::maybe(self.percentile(percentile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(50.0), None);
        (1..=1_000).for_each(|millis| latency.add_micros(millis * 1_000));
        let near = |percentile, expected: f64| (latency.percentile(percentile).unwrap() / expected - 1.0).abs() < 0.002;
        let mut twice = Latency::default();
        [&latency, &latency].into_iter().for_each(|one| twice.add_all(one));
        assert_eq!((twice.count(), twice.percentile(90.0)), (2_000, latency.percentile(90.0)));
        assert!(near(50.0, 500.0) && near(99.0, 990.0) && near(100.0, 1_000.0), "{latency:?}");
    }
}
