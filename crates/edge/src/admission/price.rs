//! What a call costs.

/// Reads that a [`Price::Look`] takes beforehand, because its cost shows only afterwards. It is also the most that one such call costs.
pub(super) const MOST_READS: u32 = 50;

/// What a call of a user costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// A durable write.
    Change,
    /// A read whose cost is bounded: a page, a look-up.
    Read,
    /// A read that may look at much. It takes 50 reads; [`crate::Paid::looked_at`] gives back those that it did not need.
    Look,
    /// A send. The messages service has the limit on sends; a send that does not count there costs a read ([`crate::Paid::counted`]).
    Send,
}

impl Price {
    pub(super) fn reads(self) -> u32 {
        match self {
            Price::Change => 0,
            Price::Read | Price::Send => 1,
            Price::Look => MOST_READS,
        }
    }
}
