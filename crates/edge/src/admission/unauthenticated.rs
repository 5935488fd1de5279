//! Calls without a valid token, counted by address.

use super::known_tokens::KnownTokens;
use super::rate_limited::rate_limited;
use super::settings::AdmissionSettings;
use crate::Buckets;
use bus::Bus;
use contract::calls::users::{Authenticate, AuthenticateOpen, Session};
use contract::{Caller, Clock, Refusal, Username};
use std::net::IpAddr;

/// See the module.
pub(super) struct Unauthenticated {
    calls: Buckets<IpAddr>,
    known_tokens: KnownTokens,
}

impl Unauthenticated {
    /// Full buckets.
    pub(super) fn new(settings: &AdmissionSettings, clock: &Clock) -> Self {
        let most = settings.unauthenticated_per_minute;
        Self { calls: Buckets::new(f64::from(most) / 60.0, most, clock.clone()), known_tokens: KnownTokens::default() }
    }

    /// See [`crate::Admission::authenticate`].
    pub(super) async fn authenticate(&self, bus: &Bus, address: IpAddr, token: String) -> Result<Session, Refusal> {
        if !self.known_tokens.contains(&token) {
            self.must_be_within_limit(address)?;
        }
        let session = bus.ask(&Caller::Anonymous, Authenticate { token: token.clone() }).await;
        match &session {
            Ok(_) => self.known_tokens.insert(&token),
            // Nobody knows now whether it is valid. An outage must cost the holder of a valid token nothing.
            Err(refusal) if refusal.code.status() >= 500 => {}
            // The token is not valid, or its username belongs to somebody else. No user can be charged for it.
            Err(_) => {
                self.known_tokens.remove(&token);
                self.calls.charge(&address);
            }
        }
        session
    }

    /// See [`crate::Admission::authenticate_open`].
    pub(super) async fn authenticate_open(&self, bus: &Bus, address: IpAddr, username: Username) -> Result<Session, Refusal> {
        self.count(address)?;
        bus.ask(&Caller::Anonymous, AuthenticateOpen { username }).await
    }

    /// Counts a call of this address.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(super) fn count(&self, address: IpAddr) -> Result<(), Refusal> {
        self.must_be_within_limit(address)?;
        self.calls.charge(&address);
        Ok(())
    }

    /// A token that this process has just given out is valid.
    pub(super) fn gave_out(&self, token: &str) {
        self.known_tokens.insert(token);
    }

    fn must_be_within_limit(&self, address: IpAddr) -> Result<(), Refusal> {
        let detail = "too many calls from this address came without a valid token; log in first, and wait";
        self.calls.check(&address).map_err(|wait| rate_limited("unauthenticated", detail, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Answer, Code, Time, TokenId, User, UserId};
    use std::sync::Arc;
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
            let user = User::plain(UserId::new(), username, display_name, Time(0));
            Ok(Session { user, token: TokenId::from_bytes([1; 16]), expires_at: Time(i64::MAX) })
        }
    }

    fn limited_to(unauthenticated_per_minute: u32) -> (Unauthenticated, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(1_800_000_000_000));
        let read = Arc::clone(&hand);
        let settings = AdmissionSettings { unauthenticated_per_minute, ..AdmissionSettings::default() };
        (Unauthenticated::new(&settings, &Clock::from_fn(move || Time(read.load(Ordering::Relaxed)))), hand)
    }

    #[tokio::test]
    async fn what_is_refused_for_another_reason_counts_as_well_and_an_outage_does_not() {
        let (unauthenticated, _) = limited_to(3);
        let (accounts, bus) = (Arc::<Accounts>::default(), Bus::near());
        bus.serve::<Authenticate, _>(&accounts);
        let here: IpAddr = "1.2.3.4".parse().unwrap();
        let show = async |token: &str| unauthenticated.authenticate(&bus, here, token.to_owned()).await.err().map(|no| no.code);
        for _ in 0..10 {
            assert_eq!(show("during an outage").await, Some(Code::Busy));
        }
        for _ in 0..3 {
            assert_eq!(show("another's name").await, Some(Code::Conflict));
        }
        assert_eq!(show("another's name").await, Some(Code::RateLimited));
    }

    #[tokio::test]
    async fn past_the_limit_only_tokens_that_were_valid_before_are_looked_up() {
        let (unauthenticated, hand) = limited_to(5);
        let (accounts, bus) = (Arc::<Accounts>::default(), Bus::near());
        bus.serve::<Authenticate, _>(&accounts);
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let show = async |address, token: &str| unauthenticated.authenticate(&bus, address, token.to_owned()).await.err().map(|no| no.code);
        assert_eq!(show(here, "good").await, None);
        for _ in 0..5 {
            assert_eq!(show(here, "bad").await, Some(Code::Unauthenticated));
        }
        let asked = accounts.0.load(Ordering::Relaxed);
        for _ in 0..100 {
            assert_eq!(show(here, "bad").await, Some(Code::RateLimited));
        }
        assert_eq!(accounts.0.load(Ordering::Relaxed), asked, "the users service was not asked");
        assert_eq!(show(here, "good").await, None, "it was valid before");
        assert_eq!(show(there, "bad").await, Some(Code::Unauthenticated), "another address");
        assert_eq!(unauthenticated.count(here).unwrap_err().code, Code::RateLimited);
        hand.fetch_add(12_000, Ordering::Relaxed);
        assert_eq!(unauthenticated.count(here), Ok(()));
        unauthenticated.gave_out("new");
        assert_eq!(show(here, "new").await, Some(Code::Unauthenticated), "it is looked up, whatever the address has done");
        assert_eq!(show(here, "new").await, Some(Code::RateLimited), "and not again, for it was not valid");
    }
}
