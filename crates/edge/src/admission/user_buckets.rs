//! What each user may do: a bucket of changes and a bucket of reads.

use super::price::{MOST_READS, Price};
use super::rate_limited::rate_limited;
use super::settings::AdmissionSettings;
use crate::Buckets;
use contract::{Clock, Refusal, UserId};
use std::sync::Arc;

/// Rows that one read pays for: a page.
const ROWS_PER_READ: usize = 50;

/// See the module.
pub(super) struct UserBuckets {
    changes: Buckets<UserId>,
    reads: Buckets<UserId>,
}

/// What a call has paid. Dropped, it stays paid: a caller who goes away before the answer has cost as much.
#[must_use]
pub struct Paid {
    buckets: Arc<UserBuckets>,
    user: UserId,
    /// Reads that were really taken: a bucket may hold fewer than the price.
    reads: u32,
}

impl std::fmt::Debug for Paid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paid").field("user", &self.user).field("reads", &self.reads).finish_non_exhaustive()
    }
}

impl UserBuckets {
    /// Full buckets.
    pub(super) fn new(settings: &AdmissionSettings, clock: &Clock) -> Arc<Self> {
        Arc::new(Self {
            changes: Buckets::new(f64::from(settings.changes_per_second), settings.changes_burst, clock.clone()),
            reads: Buckets::new(f64::from(settings.reads_per_second), settings.reads_burst, clock.clone()),
        })
    }

    /// Takes a price from the user's bucket.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(super) fn pay(self: &Arc<Self>, user: UserId, price: Price) -> Result<Paid, Refusal> {
        let reads = match price {
            Price::Change => {
                let taken = self.changes.take(&user);
                taken.map_err(|wait| rate_limited("changes", "you change things too fast; slow down", wait))?;
                0
            }
            Price::Read | Price::Look | Price::Send => self.take_reads(user, price.reads())?,
        };
        Ok(Paid { buckets: Arc::clone(self), user, reads })
    }

    /// Takes reads from the user's bucket; more than 50 count as 50. Answers how many were taken: at most what a full bucket holds.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(super) fn take_reads(&self, user: UserId, count: u32) -> Result<u32, Refusal> {
        let taken = self.reads.take_many(&user, count.min(MOST_READS));
        taken.map_err(|wait| rate_limited("reads", "you read too fast; slow down", wait))
    }
}

impl Paid {
    /// A [`Price::Look`] has looked at so many rows: one read for each 50, at least one.
    pub fn looked_at(self, rows: usize) {
        let cost = u32::try_from(rows.div_ceil(ROWS_PER_READ)).unwrap_or(u32::MAX).max(1);
        self.give_back(self.reads.saturating_sub(cost));
    }

    /// A [`Price::Send`] wrote a new message, which has counted under the limit on sends.
    pub fn counted(self) {
        self.give_back(self.reads);
    }

    fn give_back(&self, reads: u32) {
        self.buckets.reads.give_back_many(&self.user, reads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Code, Time};

    fn buckets(settings: &AdmissionSettings) -> Arc<UserBuckets> {
        UserBuckets::new(settings, &Clock::from_fn(|| Time(1_800_000_000_000)))
    }

    #[test]
    fn each_price_takes_from_its_bucket_and_no_other() {
        let buckets = buckets(&AdmissionSettings { changes_burst: 2, reads_burst: 3, ..AdmissionSettings::default() });
        let user = UserId::new();
        for _ in 0..2 {
            let _ = buckets.pay(user, Price::Change).unwrap();
        }
        let refusal = buckets.pay(user, Price::Change).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(50)));
        for _ in 0..3 {
            let _ = buckets.pay(user, Price::Read).unwrap();
        }
        assert_eq!(buckets.pay(user, Price::Send).unwrap_err().retry_after_ms, Some(10));
        let _ = buckets.pay(UserId::new(), Price::Change).unwrap();
    }

    #[test]
    fn what_was_not_needed_is_given_back() {
        let buckets = buckets(&AdmissionSettings { reads_burst: 100, ..AdmissionSettings::default() });
        let user = UserId::new();
        for _ in 0..20 {
            buckets.pay(user, Price::Look).unwrap().looked_at(50);
        }
        for _ in 0..1_000 {
            buckets.pay(user, Price::Send).unwrap().counted();
        }
        buckets.pay(user, Price::Look).unwrap().looked_at(1_000_000);
        assert!(buckets.pay(user, Price::Look).is_err(), "20 small ones and a large one leave 30");
        buckets.take_reads(user, 30).unwrap();
        assert!(buckets.pay(user, Price::Read).is_err());
    }

    #[test]
    fn a_bucket_that_holds_less_than_a_look_gets_back_no_more_than_was_taken() {
        let buckets = buckets(&AdmissionSettings { reads_burst: 10, ..AdmissionSettings::default() });
        let user = UserId::new();
        let _ = buckets.pay(user, Price::Look).unwrap();
        let refusal = buckets.pay(user, Price::Read).unwrap_err();
        assert_eq!(refusal.retry_after_ms, Some(10));
        let other = UserId::new();
        buckets.pay(other, Price::Look).unwrap().looked_at(1);
        assert_eq!(buckets.take_reads(other, 10).unwrap_err().retry_after_ms, Some(10), "it has cost one read");
        assert_eq!(buckets.take_reads(other, 9).unwrap(), 9);
    }

    #[test]
    fn a_caller_who_goes_away_before_the_answer_has_paid_all_the_same() {
        let buckets = buckets(&AdmissionSettings { reads_burst: 60, ..AdmissionSettings::default() });
        let user = UserId::new();
        drop(buckets.pay(user, Price::Look).unwrap());
        assert!(buckets.pay(user, Price::Look).is_err());
    }
}
