//! The sums of the accounts.

/// What was counted; everything below `delivered` must be zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages.
    pub sent: u64,
    /// Times that a message went to the server.
    pub attempts: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages of strangers that were refused, as they must be.
    pub refused: u64,
    /// Events that came to members.
    pub delivered: u64,
    /// Messages of members that were refused for good.
    pub wrongly_refused: u64,
    /// Messages that were never settled.
    pub unanswered: u64,
    /// Messages acknowledged that are not in the log.
    pub lost: u64,
    /// Messages that stand in the log twice.
    pub doubled: u64,
    /// Messages whose place in the log is not the one that was acknowledged, or not behind a message that was acknowledged before they
    /// were sent.
    pub reordered: u64,
    /// Deliveries that never came.
    pub undelivered: u64,
    /// Deliveries that came again.
    pub doubled_deliveries: u64,
    /// Deliveries that came after later ones, or under another seq than the log has.
    pub late: u64,
    /// Messages whose text, sender or room is not what was sent.
    pub changed: u64,
    /// What is where it should not be: refused and yet in the log, in no account, at somebody's who was not a member.
    pub strayed: u64,
    /// Times that a client was told to start anew.
    pub resyncs: u64,
}

impl Totals {
    /// Whether everything adds up.
    pub fn is_sound(&self) -> bool {
        let Self { sent, attempts, acked, refused, delivered, .. } = *self;
        *self == Self { sent, attempts, acked, refused, delivered, ..Self::default() }
    }
}
