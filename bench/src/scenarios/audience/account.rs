//! What was counted, and what came of it.

use crate::latency::Latency;

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages sent.
    pub sent: u64,
    /// Of them, acknowledged as on disk.
    pub acked: u64,
    /// Of them, refused.
    pub refused: u64,
    /// Different messages that came, over all receivers.
    pub once: u64,
    /// Of them, between CONNECT and `ready`.
    pub replayed: u64,
    /// Times that a receiver came back.
    pub returns: u64,
    /// Of them, without having been resumed, though a cursor was shown: `resync`.
    pub not_resumed: u64,
    /// Of them, with `ready` before all had come that was acknowledged when it was let in; the rest came as live events.
    pub early: u64,
    /// Sockets that ended and were not cut by this program.
    pub lost: u64,
    /// From due to acknowledged, of what was due while it was watched.
    pub ack: Latency,
    /// From due to received by who was there, of the same.
    pub live: Latency,
}

/// The account at the end. A message is due once for each receiver of its room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Deliveries that must be, of everything that was acknowledged.
    pub due: u64,
    /// Never came.
    pub missing: u64,
    /// Came again.
    pub doubled: u64,
    /// Came after a later one.
    pub misplaced: u64,
}

impl Account {
    /// Percent of what was due; never 100 where something is missing, however many decimals are shown.
    #[allow(clippy::cast_precision_loss)]
    pub fn percent(&self) -> Option<f64> {
        let percent = (self.due > 0).then(|| self.due.saturating_sub(self.missing) as f64 * 100.0 / self.due as f64);
        percent.map(|percent| (percent * 1_000.0).floor() / 1_000.0)
    }

    /// Whether everything came once and in order.
    pub fn is_whole(&self) -> bool {
        (self.missing, self.doubled, self.misplaced) == (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_that_is_missing_shows_in_the_percentage() {
        assert_eq!(Account::default().percent(), None);
        assert_eq!(Account { due: 8, ..Account::default() }.percent(), Some(100.0));
        assert_eq!(Account { due: 10_000_000, missing: 1, ..Account::default() }.percent(), Some(99.999));
        assert!(!Account { doubled: 1, ..Account::default() }.is_whole());
    }
}
