//! The deadlines of one connection: to connect to `/`, to take what it is sent, and to close. The table's sweep looks at them.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    Config,
    link::{GRACE, Link},
};

/// How often to look: once a second, or more often where a deadline is shorter than some seconds.
pub(crate) fn period(config: &Config) -> Duration {
    (config.connect_timeout.min(config.max_lag) / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
}

/// What is to be done with a connection.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// It is closing, and a polling client has fetched what was queued; or it is a websocket by now, whose writer flushes by itself.
    End,
    Close(&'static str),
    Abort(&'static str),
}

/// Ends the connection if one of its deadlines has passed.
pub(crate) fn check(link: &Link, now: Instant, config: &Config) {
    match judge(link, now, config) {
        Verdict::Keep => {}
        Verdict::End => link.end(),
        Verdict::Close(reason) => link.close(reason),
        Verdict::Abort(reason) => link.abort(reason),
    }
}

fn judge(link: &Link, now: Instant, config: &Config) -> Verdict {
    let mut deadlines = link.deadlines();
    if let Some(since) = deadlines.closing_since {
        return if now.duration_since(since) >= GRACE {
            Verdict::Abort("server abort")
        } else if link.is_polling() && link.backpressure.behind() == 0 || !link.is_polling() && !link.backpressure.is_hung_up() {
            Verdict::End
        } else {
            // The client is still fetching; or a websocket was hung up on, whose reader ends by itself.
            Verdict::Keep
        };
    }
    if let Some(since) = deadlines.unconnected_since
        && now.duration_since(since) >= config.connect_timeout
    {
        return Verdict::Close("connect timeout");
    }
    let is_slow = deadlines.slow_client.is_slow(link.backpressure.progress(), link.is_polling(), now, config);
    if is_slow { Verdict::Abort("slow client") } else { Verdict::Keep }
}
