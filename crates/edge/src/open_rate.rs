//! How fast an address may open connections. Each one costs a handshake, even if it is closed at once, whatever the bound on how many there
//! may be at a time.

use crate::Buckets;
use contract::{Clock, Refusal};
use std::net::IpAddr;

/// Seconds after which an empty bucket is full again.
const FULL_AFTER: f64 = 10.0;

/// A token bucket for each address. It holds twice as many as the address may have at once: all of them may reconnect at the same time, and
/// need a second try.
pub struct OpenRate(Buckets<IpAddr>);

impl OpenRate {
    /// For addresses that may have `most` connections at once; 0 is no limit.
    pub fn new(most: usize, clock: Clock) -> Self {
        // An operator's alert needs the series before the first time it counts.
        metrics::counter!("guild_rate_limited_total", "what" => "opens").increment(0);
        let burst = u32::try_from(most.saturating_mul(2)).unwrap_or(u32::MAX);
        Self(Buckets::new(f64::from(burst) / FULL_AFTER, burst, clock))
    }

    /// One more connection of this address.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub fn take(&self, address: IpAddr) -> Result<(), Refusal> {
        self.0.take(&address).map_err(|wait| {
            metrics::counter!("guild_rate_limited_total", "what" => "opens").increment(1);
            Refusal::rate_limited("this address opens connections too fast; wait", wait)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Code, Time};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn all_may_come_back_twice_and_again_after_ten_seconds() {
        let hand = Arc::new(AtomicI64::new(1_800_000_000_000));
        let read = Arc::clone(&hand);
        let clock = Clock::from_fn(move || Time(read.load(Ordering::Relaxed)));
        let rate = OpenRate::new(200, clock.clone());
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let taken = |address| (0..1_000).take_while(|_| rate.take(address).is_ok()).count();
        assert_eq!((taken(here), taken(there)), (400, 400));
        let refusal = rate.take(here).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(25)));
        hand.fetch_add(5_000, Ordering::Relaxed);
        assert_eq!(taken(here), 200);
        hand.fetch_add(10_000, Ordering::Relaxed);
        assert_eq!(taken(here), 400);
        let unlimited = OpenRate::new(0, clock);
        assert!((0..10_000).all(|_| unlimited.take(here).is_ok()));
    }
}
