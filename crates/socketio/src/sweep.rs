//! One task for all connections' deadlines, instead of a timer each.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Weak,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    Config,
    hub::Hub,
    link::{GRACE, Link, Look, Mark},
};

/// Looks at every connection again and again, as long as there is a server.
pub(crate) async fn run(hub: Weak<Hub>) {
    let Some(period) = hub.upgrade().map(|hub| period(&hub.config)) else {
        return;
    };
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(hub) = hub.upgrade() else {
            return;
        };
        let now = Instant::now();
        for link in hub.links() {
            // A connection over which it panics is left alone; who looks after all the others must live.
            if catch_unwind(AssertUnwindSafe(|| check(&link, now, &hub.config))).is_err() {
                tracing::error!("a connection's deadlines could not be looked at because of a panic");
            }
        }
    }
}

/// Once a second, or more often where a deadline is shorter than some seconds.
fn period(config: &Config) -> Duration {
    (config.connect_timeout.min(config.max_lag) / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
}

/// What is to be done with a connection.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// What was queued has been fetched, or it is a websocket (since the close began, perhaps), whose writer flushes by itself.
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
    let mut watch = link.watch();
    if let Some(since) = watch.closing {
        return if now.duration_since(since) >= GRACE {
            Verdict::Abort("server abort")
        } else if link.is_polling() && link.flow.behind() == 0 || !link.is_polling() && !link.flow.is_hung_up() {
            Verdict::End
        } else {
            // It is still being fetched; or a websocket was hung up, whose reader ends by itself.
            Verdict::Keep
        };
    }
    if let Some(since) = watch.waiting
        && now.duration_since(since) >= config.connect_timeout
    {
        return Verdict::Close("connect timeout");
    }
    let marks = link.flow.marks();
    let (mark, late) = follow(watch.mark, marks, now, config.max_lag);
    watch.mark = mark;
    let (look, behind) = look(watch.look, marks, link.is_polling(), now, config.max_behind);
    watch.look = look;
    if late || behind { Verdict::Abort("slow client") } else { Verdict::Keep }
}

/// How long a client has at least to take what it is owed: the sweep's usual period, less what a tick may come early. Where another
/// deadline is so short that the sweep comes more often, this must not be shorter with it.
const LOOK: Duration = Duration::from_millis(900);

/// Looks whether the client is behind, unless the last look was just now. Answers the look to remember, and whether it is.
fn look(last: Look, marks: (u64, u64, bool), polling: bool, at: Instant, max_behind: usize) -> (Look, bool) {
    if at.duration_since(last.at) < LOOK {
        return (last, false);
    }
    (Look { at, accepted: marks.0 }, is_behind(last.accepted, marks, polling, max_behind))
}

/// Whether more than the bound of what was owed at the last look has not been taken since. What came after that has not had its time:
/// a burst is taken at the pace of the network, by a client that reads all the time too. Nor does it count while the network would
/// take more, because then it is this side that is late. (Polling shows no such thing: there the client has to come for it.)
fn is_behind(owed: u64, (_, written, blocked): (u64, u64, bool), polling: bool, max_behind: usize) -> bool {
    (blocked || polling) && owed.saturating_sub(written) > max_behind as u64
}

/// Follows what is owed: once all that had been accepted at the mark has left, and the network has taken something if it was blocked,
/// the mark moves on. Answers the new mark, and whether the old one is too old.
fn follow(mark: Option<Mark>, (accepted, written, blocked): (u64, u64, bool), at: Instant, max_lag: Duration) -> (Option<Mark>, bool) {
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

    #[test]
    fn a_client_that_takes_nothing_is_late_after_the_lag() {
        let start = Instant::now();
        let (mark, late) = follow(None, (100, 0, true), start, LAG);
        assert!(mark.is_some() && !late);
        // It takes some, but not all of what was owed then, and more is owed.
        let (mark, late) = follow(mark, (500, 99, false), start + LAG / 2, LAG);
        assert!(!late);
        assert_eq!(mark.map(|mark| mark.at), Some(start));
        assert!(follow(mark, (500, 99, false), start + LAG, LAG).1);
    }

    #[test]
    fn a_client_that_keeps_moving_is_never_late() {
        let start = Instant::now();
        let (mut mark, _) = follow(None, (100, 0, true), start, LAG);
        for second in 1..200 {
            let at = start + Duration::from_secs(second);
            let (next, late) = follow(mark, (100 + second * 10, second * 10 + 9, true), at, LAG);
            assert!(!late, "after {second} s");
            mark = next;
        }
    }

    #[test]
    fn a_client_that_takes_not_even_pings_is_late() {
        let start = Instant::now();
        let (mark, _) = follow(None, (100, 100, true), start, LAG);
        assert!(follow(mark, (100, 100, true), start + LAG, LAG).1);
        assert!(follow(mark, (100, 100, false), start + LAG, LAG).0.is_none());
    }

    #[test]
    fn only_what_has_had_its_time_counts_as_behind() {
        let behind = |owed, marks| is_behind(owed, marks, false, 100);
        assert!(!behind(0, (900, 0, true)), "it has come since the last look");
        assert!(behind(900, (900, 799, true)));
        assert!(!behind(900, (5_000, 800, true)), "no more than the bound is left of it");
        assert!(!behind(900, (900, 0, false)), "nobody has tried to send it");
        assert!(is_behind(900, (900, 0, false), true, 100), "nobody has come for it");
    }

    #[test]
    fn a_sweep_that_comes_often_gives_no_less_time() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let owed = (900, 0, true);
        let (first, behind) = look(Look { at: start, accepted: 0 }, owed, false, after(1_000), 100);
        assert!(!behind);
        let (second, behind) = look(first, owed, false, after(1_020), 100);
        assert!(!behind, "20 ms later");
        assert!(look(second, owed, false, after(1_999), 100).1, "a second later");
    }

    #[test]
    fn nothing_owed_needs_no_mark() {
        let (mark, late) = follow(None, (100, 100, false), Instant::now(), LAG);
        assert!(mark.is_none() && !late);
    }
}
