//! Finds clients that do not take what they are sent: too many bytes from one look to the next, or any byte for too long.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Config, backpressure::Progress};

/// Watches one client.
#[derive(Debug)]
pub(crate) struct SlowClientDetector {
    /// The progress at a moment, to see later whether what was accepted by then has left.
    mark: Option<Mark>,
    /// The last look at how far the client is behind.
    look: Look,
}

/// See [`SlowClientDetector::mark`].
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    accepted: u64,
    written: u64,
}

/// See [`SlowClientDetector::look`].
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    accepted: u64,
}

/// How long a client has at least to take what it is owed: the usual time between two looks, less what a tick may come early. Where another
/// deadline is so short that the sweep comes more often, this must not become shorter with it.
const LOOK_EVERY: Duration = Duration::from_millis(900);

impl SlowClientDetector {
    /// Begins to watch a client that is owed nothing.
    pub(crate) fn new(now: Instant) -> Self {
        SlowClientDetector { mark: None, look: Look { at: now, accepted: 0 } }
    }

    /// Whether the client is too slow by now.
    pub(crate) fn is_slow(&mut self, progress: Progress, polling: bool, now: Instant, config: &Config) -> bool {
        let (mark, late) = follow(self.mark, progress, now, config.max_lag);
        self.mark = mark;
        let (look, behind) = look(self.look, progress, polling, now, config.max_behind);
        self.look = look;
        late || behind
    }
}

/// Looks whether the client is behind, unless the last look was just now. Answers the look to remember, and whether it is.
fn look(last: Look, progress: Progress, polling: bool, at: Instant, max_behind: usize) -> (Look, bool) {
    if at.duration_since(last.at) < LOOK_EVERY {
        return (last, false);
    }
    (Look { at, accepted: progress.accepted }, is_behind(last.accepted, progress, polling, max_behind))
}

/// Whether more than the bound of what was owed at the last look has not been taken since. Bytes that were accepted later have not had their
/// time: even a client that reads all the time takes a burst only at the pace of the network. Nothing counts while the network would take
/// more, because then this side is late. (Polling does not show that: there the client has to come for its bytes.)
fn is_behind(owed: u64, progress: Progress, polling: bool, max_behind: usize) -> bool {
    (progress.blocked || polling) && owed.saturating_sub(progress.written) > max_behind as u64
}

/// Follows what is owed. Once everything that had been accepted at the mark has left, and the network has taken something if it was blocked,
/// the mark moves on. Answers the new mark, and whether the old one is too old.
fn follow(mark: Option<Mark>, progress: Progress, at: Instant, max_lag: Duration) -> (Option<Mark>, bool) {
    let Progress { accepted, written, blocked } = progress;
    let fresh = (accepted > written || blocked).then_some(Mark { at, accepted, written });
    match mark {
        None => (fresh, false),
        Some(mark) if written >= mark.accepted && (!blocked || written > mark.written) => (fresh, false),
        Some(mark) => (Some(mark), at.duration_since(mark.at) >= max_lag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Duration = Duration::from_secs(30);

    fn at(accepted: u64, written: u64, blocked: bool) -> Progress {
        Progress { accepted, written, blocked }
    }

    #[test]
    fn a_client_that_takes_nothing_is_late_after_the_lag() {
        let start = Instant::now();
        let (mark, late) = follow(None, at(100, 0, true), start, LAG);
        assert!(mark.is_some() && !late);
        // It takes some, but not all of what was owed then, and more is owed.
        let (mark, late) = follow(mark, at(500, 99, false), start + LAG / 2, LAG);
        assert!(!late);
        assert_eq!(mark.map(|mark| mark.at), Some(start));
        assert!(follow(mark, at(500, 99, false), start + LAG, LAG).1);
    }

    #[test]
    fn a_client_that_keeps_moving_is_never_late() {
        let start = Instant::now();
        let (mut mark, _) = follow(None, at(100, 0, true), start, LAG);
        for second in 1..200 {
            let now = start + Duration::from_secs(second);
            let (next, late) = follow(mark, at(100 + second * 10, second * 10 + 9, true), now, LAG);
            assert!(!late, "after {second} s");
            mark = next;
        }
    }

    #[test]
    fn a_client_that_takes_not_even_pings_is_late() {
        let start = Instant::now();
        let (mark, _) = follow(None, at(100, 100, true), start, LAG);
        assert!(follow(mark, at(100, 100, true), start + LAG, LAG).1);
        assert!(follow(mark, at(100, 100, false), start + LAG, LAG).0.is_none());
    }

    #[test]
    fn only_what_has_had_its_time_counts_as_behind() {
        let behind = |owed, progress| is_behind(owed, progress, false, 100);
        assert!(!behind(0, at(900, 0, true)), "it has come since the last look");
        assert!(behind(900, at(900, 799, true)));
        assert!(!behind(900, at(5_000, 800, true)), "no more than the bound is left of it");
        assert!(!behind(900, at(900, 0, false)), "nobody has tried to send it");
        assert!(is_behind(900, at(900, 0, false), true, 100), "nobody has come for it");
    }

    #[test]
    fn a_sweep_that_comes_often_gives_no_less_time() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let owed = at(900, 0, true);
        let (first, behind) = look(Look { at: start, accepted: 0 }, owed, false, after(1_000), 100);
        assert!(!behind);
        let (second, behind) = look(first, owed, false, after(1_020), 100);
        assert!(!behind, "20 ms later");
        assert!(look(second, owed, false, after(1_999), 100).1, "a second later");
    }

    #[test]
    fn nothing_owed_needs_no_mark() {
        let (mark, late) = follow(None, at(100, 100, false), Instant::now(), LAG);
        assert!(mark.is_none() && !late);
    }
}
