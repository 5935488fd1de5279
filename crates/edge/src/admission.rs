//! What anybody may cost. Every call is paid for here before a service is asked, whichever edge it comes by: REST, Socket.IO or GraphQL.
//!
//! A verb states its [`Price`] where it reads its request: a REST handler by the extractor that it takes ([`crate::Reads`],
//! [`crate::Changes`], …), an event in the gateway's table. There is no other way to learn who calls, so a verb without a price cannot be
//! written. Sends and new rooms have buckets of their own in the messages service, because only its writer knows whether a nonce has been
//! seen; here a send pays for that look-up, and gets it back when the send counted there.
//!
//! Everything is counted in this process. Numbers of 0 are no limit.

use crate::Buckets;
use bus::Bus;
use contract::calls::users::{Authenticate, AuthenticateOpen, Session};
use contract::{Caller, Clock, Refusal, UserId, Username};
use lru::LruCache;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Reads that a verb takes beforehand whose cost shows afterwards; it is also the most that one such call costs.
const MOST_READS: u32 = 50;

/// Rows that one read pays for: a page.
const ROWS_A_READ: usize = 50;

/// How long a password waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// All passwords that an address, or a user, may try at once are spread over this time. Hashed one right after the other they would take a
/// thread that hashes (one, on two cores) from everybody else for half a second.
const SPREAD: Duration = Duration::from_secs(2);

/// Tokens that are remembered as valid.
const TOKENS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// How often anybody may do something. A rate of 0 is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// Durable writes that are neither sends nor new rooms, a second and user.
    pub changes_per_second: u32,
    /// The same at once, before the rate counts.
    pub changes_burst: u32,
    /// Reads a second and user.
    pub reads_per_second: u32,
    /// Reads at once, before the rate counts.
    pub reads_burst: u32,
    /// Passwords tried a minute: logins by address, changes of a password by user.
    pub logins_per_minute: u32,
    /// Calls a minute and address whose token is missing or not valid.
    pub unauthenticated_per_minute: u32,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            changes_per_second: 20,
            changes_burst: 60,
            reads_per_second: 100,
            reads_burst: 300,
            logins_per_minute: 10,
            unauthenticated_per_minute: 60,
        }
    }
}

impl AdmissionSettings {
    /// No limits at all: for tests that are about something else.
    pub fn unlimited() -> Self {
        Self {
            changes_per_second: 0,
            changes_burst: 0,
            reads_per_second: 0,
            reads_burst: 0,
            logins_per_minute: 0,
            unauthenticated_per_minute: 0,
        }
    }
}

/// What a call of a user costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// A durable write.
    Change,
    /// A read whose cost is bounded: a page, a look-up.
    Read,
    /// A read that may look at much: it takes 50 reads and gives back what it did not need, by [`Paid::looked_at`].
    Look,
    /// A send. Its own limit is the messages service's; a send that did not count there ([`Paid::counted`]) costs a read.
    Send,
}

impl Price {
    fn reads(self) -> u32 {
        match self {
            Price::Change => 0,
            Price::Read | Price::Send => 1,
            Price::Look => MOST_READS,
        }
    }
}

/// What a call has paid. Dropped, it stays paid: a caller who goes away before the answer has cost as much.
#[derive(Debug)]
#[must_use]
pub struct Paid {
    admission: Arc<Admission>,
    user: UserId,
    /// Reads that were really taken: a bucket may hold fewer than the price.
    reads: u32,
}

impl Paid {
    /// A [`Price::Look`] has looked at so many rows: one read for each 50, at least one.
    pub fn looked_at(self, rows: usize) {
        let cost = u32::try_from(rows.div_ceil(ROWS_A_READ)).unwrap_or(u32::MAX).max(1);
        self.give_back(self.reads.saturating_sub(cost));
    }

    /// A [`Price::Send`] wrote a new message, which has counted under the send limit.
    pub fn counted(self) {
        self.give_back(self.reads);
    }

    fn give_back(&self, reads: u32) {
        self.admission.reads.give_back_many(&self.user, reads);
    }
}

/// The buckets of one process.
pub struct Admission {
    changes: Buckets<UserId>,
    reads: Buckets<UserId>,
    logins: Buckets<IpAddr>,
    passwords: Buckets<UserId>,
    turns: Mutex<HashMap<Guesser, Arc<Turn>>>,
    /// Between the begin of one check of an address and that of its next; `None` where passwords are not limited.
    pace: Option<Duration>,
    unauthenticated: Buckets<IpAddr>,
    tokens: Tokens,
}

/// Who has a password checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Guesser {
    /// An address that logs in.
    Address(IpAddr),
    /// A user who changes a password.
    User(UserId),
}

/// A password that has counted under its limit and is not checked yet.
#[must_use]
pub struct PasswordTry {
    admission: Arc<Admission>,
    who: Guesser,
}

impl std::fmt::Debug for PasswordTry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PasswordTry").field(&self.who).finish()
    }
}

impl PasswordTry {
    /// Waits for the turn. An address, and a user, has one password checked at a time, and not one right after the other, so that a burst does
    /// not keep the few threads that hash from everybody else. Ask for it when the password is at hand, and keep it until the password is checked: others of the same
    /// address wait meanwhile.
    ///
    /// # Errors
    /// `busy`: too many passwords of this address, or of this user, are being checked.
    pub async fn turn(self) -> Result<PasswordTurn, Refusal> {
        // Where passwords are not limited, nobody waits: there may be a proxy in front whose address is everybody's.
        let Some(pace) = self.admission.pace else { return Ok(PasswordTurn { _held: None }) };
        let turn = self.admission.turn_of(self.who, pace);
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

/// Held by whoever has a password checked; when the last check began.
type Turn = tokio::sync::Mutex<Option<Instant>>;

/// A turn at having a password checked; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct PasswordTurn {
    _held: Option<tokio::sync::OwnedMutexGuard<Option<Instant>>>,
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admission")
    }
}

impl Admission {
    /// Full buckets.
    pub fn new(settings: &AdmissionSettings, clock: &Clock) -> Arc<Self> {
        for what in ["changes", "reads", "logins", "password changes", "unauthenticated"] {
            // An operator's alert needs the series before the first time it counts.
            metrics::counter!("guild_rate_limited_total", "what" => what).increment(0);
        }
        let s = settings;
        let a_minute = |most: u32| f64::from(most) / 60.0;
        Arc::new(Self {
            changes: Buckets::new(f64::from(s.changes_per_second), s.changes_burst, clock.clone()),
            reads: Buckets::new(f64::from(s.reads_per_second), s.reads_burst, clock.clone()),
            logins: Buckets::new(a_minute(s.logins_per_minute), s.logins_per_minute, clock.clone()),
            passwords: Buckets::new(a_minute(s.logins_per_minute), s.logins_per_minute, clock.clone()),
            turns: Mutex::default(),
            pace: SPREAD.checked_div(s.logins_per_minute),
            unauthenticated: Buckets::new(a_minute(s.unauthenticated_per_minute), s.unauthenticated_per_minute, clock.clone()),
            tokens: Tokens::default(),
        })
    }

    /// Takes what a call costs from its user's bucket.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn pay(self: &Arc<Self>, user: UserId, price: Price) -> Result<Paid, Refusal> {
        let reads = match price {
            Price::Change => {
                let taken = self.changes.take(&user);
                taken.map_err(|wait| limited("changes", "you change things too fast; slow down", wait))?;
                0
            }
            Price::Read | Price::Look | Price::Send => self.take_reads(user, price.reads())?,
        };
        Ok(Paid { admission: Arc::clone(self), user, reads })
    }

    /// Takes reads from a user's bucket beyond what a call's price says; more than 50 count as 50. Answers how many were taken: no more than
    /// the bucket holds when it is full.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn take_reads(&self, user: UserId, count: u32) -> Result<u32, Refusal> {
        let taken = self.reads.take_many(&user, count.min(MOST_READS));
        taken.map_err(|wait| limited("reads", "you read too fast; slow down", wait))
    }

    /// Counts a login of this address, before anything is hashed for it.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn log_in(self: &Arc<Self>, address: IpAddr) -> Result<PasswordTry, Refusal> {
        self.logins.take(&address).map_err(|wait| limited("logins", "too many passwords tried; wait before the next", wait))?;
        Ok(PasswordTry { admission: Arc::clone(self), who: Guesser::Address(address) })
    }

    /// Counts a password that a user tries in order to change it.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn change_password(self: &Arc<Self>, user: UserId) -> Result<PasswordTry, Refusal> {
        let taken = self.passwords.take(&user);
        taken.map_err(|wait| limited("password changes", "too many passwords tried; wait before the next", wait))?;
        Ok(PasswordTry { admission: Arc::clone(self), who: Guesser::User(user) })
    }

    /// The lock of whoever has a password checked.
    fn turn_of(&self, who: Guesser, pace: Duration) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody holds or waits for, and whose next check need not wait, are forgotten.
        let waits = |turn: &Arc<Turn>| turn.try_lock().map_or(true, |last| last.is_some_and(|last| last.elapsed() < pace));
        turns.retain(|_, turn| Arc::strong_count(turn) > 1 || waits(turn));
        Arc::clone(turns.entry(who).or_default())
    }

    /// Finds out who shows this token. An address from which too many bad tokens came is not asked for: but for tokens that
    /// were valid lately, so that whoever shares the address with an attacker and is there already stays.
    ///
    /// # Errors
    /// `unauthenticated`, `rate_limited`, or what the users service refuses with.
    pub async fn authenticate(&self, bus: &Bus, address: IpAddr, token: String) -> Result<Session, Refusal> {
        if !self.tokens.known(&token) {
            self.may_be_nobody(address)?;
        }
        let proven = bus.ask(&Caller::Anonymous, Authenticate { token: token.clone() }).await;
        match &proven {
            Ok(_) => self.tokens.note(&token),
            // It cannot be known now; whoever has a valid token must not owe anything for an outage.
            Err(refusal) if refusal.code.status() >= 500 => {}
            // Not valid, or for a name that is somebody else's: neither is anybody's yet, so nobody else can be charged.
            Err(_) => {
                self.tokens.forget(&token);
                self.unauthenticated.charge(&address);
            }
        }
        proven
    }

    /// The same by a username alone, which only `open` mode takes. It may create the user, so it always counts for the address.
    ///
    /// # Errors
    /// `unauthenticated`, `rate_limited`, or what the users service refuses with.
    pub async fn authenticate_open(&self, bus: &Bus, address: IpAddr, username: Username) -> Result<Session, Refusal> {
        self.may_be_nobody(address)?;
        self.unauthenticated.charge(&address);
        bus.ask(&Caller::Anonymous, AuthenticateOpen { username }).await
    }

    /// A call came from this address without a token.
    ///
    /// # Errors
    /// Always: `unauthenticated` as `refusal` says, or `rate_limited` once there were too many.
    pub fn nobody<T>(&self, address: IpAddr, refusal: Refusal) -> Result<T, Refusal> {
        self.may_be_nobody(address)?;
        self.unauthenticated.charge(&address);
        Err(refusal)
    }

    /// A token that this process has just given out is valid.
    pub fn gave_out(&self, token: &str) {
        self.tokens.note(token);
    }

    fn may_be_nobody(&self, address: IpAddr) -> Result<(), Refusal> {
        let detail = "too many calls from this address came without a valid token; log in first, and wait";
        self.unauthenticated.check(&address).map_err(|wait| limited("unauthenticated", detail, wait))
    }
}

fn limited(what: &'static str, detail: &str, wait: Duration) -> Refusal {
    metrics::counter!("guild_rate_limited_total", "what" => what).increment(1);
    Refusal::rate_limited(detail, wait)
}

/// Tokens that were valid when they were last shown, by a hash under a key of this process: a collision only lets somebody be asked for.
struct Tokens {
    hasher: RandomState,
    valid: Mutex<LruCache<u64, ()>>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { hasher: RandomState::new(), valid: Mutex::new(LruCache::new(TOKENS)) }
    }
}

impl Tokens {
    fn known(&self, token: &str) -> bool {
        self.with(|valid| valid.get(&self.hasher.hash_one(token)).is_some())
    }

    fn note(&self, token: &str) {
        self.with(|valid| valid.put(self.hasher.hash_one(token), ()));
    }

    fn forget(&self, token: &str) {
        self.with(|valid| valid.pop(&self.hasher.hash_one(token)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut LruCache<u64, ()>) -> T) -> T {
        act(&mut self.valid.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Answer, Code, Time, TokenId, User};
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    /// Knows the token `good`, and counts how often it was asked.
    #[derive(Default)]
    struct Accounts(AtomicUsize);

    impl Answer<Authenticate> for Accounts {
        async fn answer(&self, _: &Caller, call: Authenticate) -> Result<Session, Refusal> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match call.token.as_str() {
                "good" => {}
                "another's name" => return Err(Refusal::conflict("somebody else has this name")),
                "during an outage" => return Err(Refusal::busy("not now")),
                _ => return Err(Refusal::unauthenticated()),
            }
            let username: Username = "alice".try_into().unwrap();
            let display_name = "Alice".try_into().unwrap();
            let user = User { id: UserId::new(), username, display_name, created_at: Time(0), online: None };
            Ok(Session { user, token: TokenId::from_bytes([1; 16]), expires_at: Time(i64::MAX) })
        }
    }

    fn admission(settings: AdmissionSettings) -> (Arc<Admission>, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(1_800_000_000_000));
        let read = Arc::clone(&hand);
        (Admission::new(&settings, &Clock::from_fn(move || Time(read.load(Ordering::Relaxed)))), hand)
    }

    #[test]
    fn each_price_takes_from_its_bucket_and_no_other() {
        let (admission, _) = admission(AdmissionSettings { changes_burst: 2, reads_burst: 3, ..AdmissionSettings::default() });
        let user = UserId::new();
        for _ in 0..2 {
            let _ = admission.pay(user, Price::Change).unwrap();
        }
        let refusal = admission.pay(user, Price::Change).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(50)));
        for _ in 0..3 {
            let _ = admission.pay(user, Price::Read).unwrap();
        }
        assert_eq!(admission.pay(user, Price::Send).unwrap_err().retry_after_ms, Some(10));
        let _ = admission.pay(UserId::new(), Price::Change).unwrap();
    }

    #[test]
    fn what_was_not_needed_is_given_back() {
        let (admission, _) = admission(AdmissionSettings { reads_burst: 100, ..AdmissionSettings::default() });
        let user = UserId::new();
        for _ in 0..20 {
            admission.pay(user, Price::Look).unwrap().looked_at(50);
        }
        for _ in 0..1_000 {
            admission.pay(user, Price::Send).unwrap().counted();
        }
        admission.pay(user, Price::Look).unwrap().looked_at(1_000_000);
        assert!(admission.pay(user, Price::Look).is_err(), "20 small ones and a large one leave 30");
        admission.take_reads(user, 30).unwrap();
        assert!(admission.pay(user, Price::Read).is_err());
    }

    #[test]
    fn a_bucket_that_holds_less_than_a_look_gets_back_no_more_than_was_taken() {
        let (admission, _) = admission(AdmissionSettings { reads_burst: 10, ..AdmissionSettings::default() });
        let user = UserId::new();
        let _ = admission.pay(user, Price::Look).unwrap();
        let refusal = admission.pay(user, Price::Read).unwrap_err();
        assert_eq!(refusal.retry_after_ms, Some(10));
        let other = UserId::new();
        admission.pay(other, Price::Look).unwrap().looked_at(1);
        assert_eq!(admission.take_reads(other, 10).unwrap_err().retry_after_ms, Some(10), "it has cost one read");
        assert_eq!(admission.take_reads(other, 9).unwrap(), 9);
    }

    #[test]
    fn who_goes_away_before_the_answer_has_paid_all_the_same() {
        let (admission, _) = admission(AdmissionSettings { reads_burst: 60, ..AdmissionSettings::default() });
        let user = UserId::new();
        drop(admission.pay(user, Price::Look).unwrap());
        assert!(admission.pay(user, Price::Look).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_one_password_checked_at_a_time_and_nobody_else_waits() {
        let (admission, _) = admission(AdmissionSettings::default());
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        // Its body may come slowly: it has no turn until it asks for one.
        let slow = admission.log_in(here).unwrap();
        let first = admission.log_in(here).unwrap().turn().await.unwrap();
        let mut second = Box::pin(admission.log_in(here).unwrap().turn());
        let waits = second.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending();
        assert!(waits);
        let _other = admission.log_in(there).unwrap().turn().await.unwrap();
        drop(first);
        drop(second.await.unwrap());
        drop(slow.turn().await.unwrap());
        let unlimited = Admission::new(&AdmissionSettings::unlimited(), &Clock::system());
        let _held = unlimited.log_in(here).unwrap().turn().await.unwrap();
        let _too = unlimited.log_in(here).unwrap().turn().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_passwords_of_a_burst_are_spread() {
        let (admission, _) = admission(AdmissionSettings { logins_per_minute: 10, ..AdmissionSettings::default() });
        let here: IpAddr = "1.2.3.4".parse().unwrap();
        let began = Instant::now();
        for number in 0..10 {
            drop(admission.log_in(here).unwrap().turn().await.unwrap());
            assert_eq!(began.elapsed().as_millis() / 100, 2 * number, "also where each is asked for after the other");
        }
        assert_eq!(admission.turns.lock().unwrap().len(), 1);
        tokio::time::sleep(SPREAD).await;
        drop(admission.log_in("1.2.3.5".parse().unwrap()).unwrap().turn().await.unwrap());
        assert_eq!(admission.turns.lock().unwrap().len(), 1, "who has not come again is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_a_turn() {
        let (admission, _) = admission(AdmissionSettings::default());
        let here: IpAddr = "1.2.3.4".parse().unwrap();
        let _stuck = admission.log_in(here).unwrap().turn().await.unwrap();
        let refusal = admission.log_in(here).unwrap().turn().await.unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Busy, Some(2_000)));
    }

    #[tokio::test]
    async fn what_is_refused_for_another_reason_counts_as_well_and_an_outage_does_not() {
        let (admission, _) = admission(AdmissionSettings { unauthenticated_per_minute: 3, ..AdmissionSettings::default() });
        let (accounts, bus) = (Arc::<Accounts>::default(), Bus::near());
        bus.serve::<Authenticate, _>(&accounts);
        let here: IpAddr = "1.2.3.4".parse().unwrap();
        let show = async |token: &str| admission.authenticate(&bus, here, token.to_owned()).await.err().map(|no| no.code);
        for _ in 0..10 {
            assert_eq!(show("during an outage").await, Some(Code::Busy));
        }
        for _ in 0..3 {
            assert_eq!(show("another's name").await, Some(Code::Conflict));
        }
        assert_eq!(show("another's name").await, Some(Code::RateLimited));
    }

    #[tokio::test]
    async fn bad_tokens_are_not_even_looked_at_past_the_limit_and_good_ones_that_were_there_are() {
        let (admission, hand) = admission(AdmissionSettings { unauthenticated_per_minute: 5, ..AdmissionSettings::default() });
        let (accounts, bus) = (Arc::<Accounts>::default(), Bus::near());
        bus.serve::<Authenticate, _>(&accounts);
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let show = async |address, token: &str| admission.authenticate(&bus, address, token.to_owned()).await.err().map(|no| no.code);
        assert_eq!(show(here, "good").await, None);
        for _ in 0..5 {
            assert_eq!(show(here, "bad").await, Some(Code::Unauthenticated));
        }
        let asked = accounts.0.load(Ordering::Relaxed);
        for _ in 0..100 {
            assert_eq!(show(here, "bad").await, Some(Code::RateLimited));
        }
        assert_eq!(accounts.0.load(Ordering::Relaxed), asked, "nobody was asked");
        assert_eq!(show(here, "good").await, None, "it was valid lately");
        assert_eq!(show(there, "bad").await, Some(Code::Unauthenticated), "another address");
        assert_eq!(admission.nobody::<()>(here, Refusal::unauthenticated()).unwrap_err().code, Code::RateLimited);
        hand.fetch_add(12_000, Ordering::Relaxed);
        assert_eq!(admission.nobody::<()>(here, Refusal::unauthenticated()).unwrap_err().code, Code::Unauthenticated);
        admission.gave_out("new");
        assert_eq!(show(here, "new").await, Some(Code::Unauthenticated), "it is asked for, whatever the address has done");
        assert_eq!(show(here, "new").await, Some(Code::RateLimited), "and not again, for it was not valid");
    }
}
