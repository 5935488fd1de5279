//! How messages are sent, and what came of them.

use crate::latency::Latency;

/// How senders send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So many outstanding a sender: the next one when one is acknowledged.
    Window(usize),
    /// So many a second, over all rooms in turn.
    Rate(usize),
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Window(window) => write!(f, "{window} outstanding"),
            Self::Rate(rate) => write!(f, "{rate}/s"),
        }
    }
}

/// What a load gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Sent in all, with warming up.
    pub sent: u64,
    /// Acknowledged in all.
    pub acked: u64,
    /// Refused in all.
    pub refused: u64,
    /// The first refusal, as it came.
    pub refusal: Option<String>,
    /// Received in all.
    pub delivered: u64,
    /// Deliveries that never came: members × acknowledged less received.
    pub missing: u64,
    /// Deliveries whose `seq` did not follow the one before.
    pub misplaced: u64,
    /// Acknowledged while it was measured.
    pub acks: u64,
    /// Received while it was measured.
    pub deliveries: u64,
    /// How long was measured.
    pub seconds: f64,
    /// CPU seconds of the server meanwhile, where its process is known.
    pub cpu: Option<f64>,
    /// CPU seconds of this program meanwhile.
    pub own_cpu: f64,
    /// The server's memory at the end.
    pub resident: Option<u64>,
    /// From due to acknowledged.
    pub ack: Latency,
    /// From due to received.
    pub delivery: Latency,
}
