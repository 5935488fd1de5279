//! Passwords: how many an address or a user may try, and when each is checked. One is checked at a time, and a burst is spread over two
//! seconds, so that it does not keep the few threads that hash from everybody else.

use super::rate_limited::rate_limited;
use super::settings::AdmissionSettings;
use crate::Buckets;
use contract::{Clock, Refusal, UserId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a password waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// All passwords that an address or a user may try at once are spread over this time. Hashed one right after the other they would take one
/// of the threads that hash (the only one, on two cores) from everybody else for half a second.
const SPREAD: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct PasswordTurns {
    logins: Buckets<IpAddr>,
    password_changes: Buckets<UserId>,
    turns: Mutex<HashMap<Guesser, Arc<Turn>>>,
    /// The time from the start of one check to the start of the next by the same guesser; `None` where passwords are not limited.
    pace: Option<Duration>,
}

/// Who has a password checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Guesser {
    /// An address that logs in.
    Address(IpAddr),
    /// A user who changes a password.
    User(UserId),
}

/// Held while a password is checked; when the last check began.
type Turn = tokio::sync::Mutex<Option<Instant>>;

/// A password that has counted under its limit and is not checked yet.
#[must_use]
pub struct PasswordTry {
    turns: Arc<PasswordTurns>,
    guesser: Guesser,
}

impl std::fmt::Debug for PasswordTry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PasswordTry").field(&self.guesser).finish()
    }
}

/// The right to have a password checked now; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct PasswordTurn {
    _held: Option<tokio::sync::OwnedMutexGuard<Option<Instant>>>,
}

impl PasswordTurns {
    /// Full buckets.
    pub(super) fn new(settings: &AdmissionSettings, clock: &Clock) -> Arc<Self> {
        let most = settings.logins_per_minute;
        let per_second = f64::from(most) / 60.0;
        Arc::new(Self {
            logins: Buckets::new(per_second, most, clock.clone()),
            password_changes: Buckets::new(per_second, most, clock.clone()),
            turns: Mutex::default(),
            pace: SPREAD.checked_div(most),
        })
    }

    /// Counts a login of this address.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(super) fn log_in(self: &Arc<Self>, address: IpAddr) -> Result<PasswordTry, Refusal> {
        self.logins.take(&address).map_err(|wait| too_many("logins", wait))?;
        Ok(PasswordTry { turns: Arc::clone(self), guesser: Guesser::Address(address) })
    }

    /// Counts a password that a user tries in order to change it.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(super) fn change_password(self: &Arc<Self>, user: UserId) -> Result<PasswordTry, Refusal> {
        self.password_changes.take(&user).map_err(|wait| too_many("password changes", wait))?;
        Ok(PasswordTry { turns: Arc::clone(self), guesser: Guesser::User(user) })
    }

    fn turn_of(&self, guesser: Guesser, pace: Duration) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgets turns that nobody holds or waits for, and whose next check need not wait.
        let waits = |turn: &Arc<Turn>| turn.try_lock().map_or(true, |last| last.is_some_and(|last| last.elapsed() < pace));
        turns.retain(|_, turn| Arc::strong_count(turn) > 1 || waits(turn));
        Arc::clone(turns.entry(guesser).or_default())
    }
}

fn too_many(what: &'static str, wait: Duration) -> Refusal {
    rate_limited(what, "too many passwords tried; wait before the next", wait)
}

impl PasswordTry {
    /// Waits for the turn. Ask for it when the password is at hand, and keep it until the password is checked: other passwords of the same
    /// address or user wait meanwhile.
    ///
    /// # Errors
    /// `busy`: too many passwords of this address, or of this user, are being checked.
    pub async fn turn(self) -> Result<PasswordTurn, Refusal> {
        // Where passwords are not limited, nobody waits: the address may be that of a proxy in front of everybody.
        let Some(pace) = self.turns.pace else { return Ok(PasswordTurn { _held: None }) };
        let turn = self.turns.turn_of(self.guesser, pace);
        let held = tokio::time::timeout(TURN_WITHIN, async {
            let mut last = turn.lock_owned().await;
            if let Some(last) = *last {
                tokio::time::sleep_until(last + pace).await;
            }
            *last = Some(Instant::now());
            last
        });
        let busy = |_| Refusal::busy("too many passwords wait to be checked; try again in a few seconds");
        held.await.map(|held| PasswordTurn { _held: Some(held) }).map_err(|late| busy(late).after(Duration::from_secs(2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Code, Time};

    fn turns(settings: &AdmissionSettings) -> Arc<PasswordTurns> {
        PasswordTurns::new(settings, &Clock::from_fn(|| Time(1_800_000_000_000)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_one_password_checked_at_a_time_and_nobody_else_waits() {
        let limited = turns(&AdmissionSettings::default());
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        // Its body may come slowly: it has no turn until it asks for one.
        let slow = limited.log_in(here).unwrap();
        let first = limited.log_in(here).unwrap().turn().await.unwrap();
        let mut second = Box::pin(limited.log_in(here).unwrap().turn());
        let waits = second.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending();
        assert!(waits);
        let _other = limited.log_in(there).unwrap().turn().await.unwrap();
        drop(first);
        drop(second.await.unwrap());
        drop(slow.turn().await.unwrap());
        let unlimited = turns(&AdmissionSettings::unlimited());
        let _held = unlimited.log_in(here).unwrap().turn().await.unwrap();
        let _too = unlimited.log_in(here).unwrap().turn().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_passwords_of_a_burst_are_spread() {
        let limited = turns(&AdmissionSettings { logins_per_minute: 10, ..AdmissionSettings::default() });
        let here: IpAddr = "1.2.3.4".parse().unwrap();
        let began = Instant::now();
        for number in 0..10 {
            drop(limited.log_in(here).unwrap().turn().await.unwrap());
            assert_eq!(began.elapsed().as_millis() / 100, 2 * number, "also where each is asked for after the other");
        }
        assert_eq!(limited.turns.lock().unwrap().len(), 1);
        tokio::time::sleep(SPREAD).await;
        drop(limited.log_in("1.2.3.5".parse().unwrap()).unwrap().turn().await.unwrap());
        assert_eq!(limited.turns.lock().unwrap().len(), 1, "an address that has not come again is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_a_turn() {
        let limited = turns(&AdmissionSettings::default());
        let here: IpAddr = "1.2.3.4".parse().unwrap();
        let _stuck = limited.log_in(here).unwrap().turn().await.unwrap();
        let refusal = limited.log_in(here).unwrap().turn().await.unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Busy, Some(2_000)));
    }
}
