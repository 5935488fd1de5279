//! The refusal of a call that is over a limit.

use contract::Refusal;
use std::time::Duration;

/// Counts the refusal under `what`, and makes it.
pub(super) fn rate_limited(what: &'static str, detail: &str, wait: Duration) -> Refusal {
    metrics::counter!("guild_rate_limited_total", "what" => what).increment(1);
    Refusal::rate_limited(detail, wait)
}
