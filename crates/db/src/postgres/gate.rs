//! Keeps everybody from asking a server for connections that it has just refused. Each attempt costs the server a process, and callers
//! try again within milliseconds: hundreds of attempts a second would take the processor from a server that is recovering.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After the second refusal in a row; each one more doubles it.
const FIRST: Duration = Duration::from_millis(20);

/// The longest pause: so long after its return a server may not be noticed.
const LONGEST: Duration = Duration::from_millis(500);

/// The refusals of a server so far.
#[derive(Default)]
pub(super) struct Gate {
    shut: Mutex<Option<Shut>>,
    /// Held by the one caller that makes the next attempt for all others.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// The server has refused the last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shut {
    /// Why.
    pub(super) cause: String,
    /// So many times in a row.
    pub(super) refusals: u32,
    /// No attempt is made before this.
    pub(super) until: Instant,
}

impl Gate {
    /// The last refusal; none if the last attempt got a connection.
    pub(super) fn shut(&self) -> Option<Shut> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server has given a connection.
    pub(super) fn given(&self) {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The server has refused one.
    pub(super) fn refused(&self, now: Instant, cause: String) {
        let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        let refusals = shut.as_ref().map_or(0, |shut| shut.refusals).saturating_add(1);
        *shut = Some(Shut { cause, refusals, until: now + pause(refusals) });
    }
}

/// The pause after so many refusals in a row. None after a single one, which may concern only that connection.
fn pause(refusals: u32) -> Duration {
    if refusals < 2 { Duration::ZERO } else { (FIRST * 2_u32.saturating_pow((refusals - 2).min(10))).min(LONGEST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_refuses_is_asked_ever_less_and_after_its_return_by_everybody() {
        let (gate, now) = (Gate::default(), Instant::now());
        assert_eq!(gate.shut(), None);
        let pauses: Vec<Duration> = (0..99)
            .map(|_| {
                gate.refused(now, "starting up".to_owned());
                gate.shut().unwrap().until - now
            })
            .collect();
        assert_eq!(pauses[..3], [Duration::ZERO, FIRST, FIRST * 2]);
        assert!(pauses.is_sorted() && pauses.last() == Some(&LONGEST), "{pauses:?}");
        gate.given();
        assert_eq!(gate.shut(), None);
    }
}
