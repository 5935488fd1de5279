//! Counts what is in flight, and tells when nothing is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// See the module.
#[derive(Default)]
pub(crate) struct InFlight {
    count: AtomicUsize,
    idle: Notify,
}

/// One thing in flight, until this is dropped.
pub(crate) struct InFlightGuard(Arc<InFlight>);

impl InFlight {
    /// One more, if it is at most the `most`-th.
    pub(crate) fn begin(self: &Arc<Self>, most: usize) -> Option<InFlightGuard> {
        let one = InFlightGuard(Arc::clone(self));
        // Dropping `one` takes it back.
        (self.count.fetch_add(1, Ordering::AcqRel) < most).then_some(one)
    }

    /// Waits until nothing is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_idle_when_all_have_ended() {
        let in_flight = Arc::<InFlight>::default();
        in_flight.idle().await;
        let one = in_flight.begin(2).unwrap();
        let two = in_flight.begin(2).unwrap();
        assert!(in_flight.begin(2).is_none());
        drop(one);
        let three = in_flight.begin(2).unwrap();
        let mut waiter = std::pin::pin!(in_flight.idle());
        assert!(futures_util::poll!(&mut waiter).is_pending(), "two are in flight");
        drop(two);
        assert!(futures_util::poll!(&mut waiter).is_pending(), "one is in flight");
        // From here on it has to be woken by the last one that ends.
        let waiting = async {
            waiter.await;
            in_flight.count.load(Ordering::Acquire)
        };
        let ending = async {
            tokio::task::yield_now().await;
            drop(three);
        };
        let (left, ()) =
            tokio::time::timeout(std::time::Duration::from_secs(10), futures_util::future::join(waiting, ending)).await.unwrap();
        assert_eq!(left, 0);
        assert!(in_flight.begin(1).is_some(), "what has ended counts no more");
    }
}
