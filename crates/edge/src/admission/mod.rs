//! What anybody may cost. Every call is paid for here before a service is asked, whichever edge it comes by: REST, Socket.IO or GraphQL.
//!
//! A verb states its [`Price`] where it reads its request: a REST handler by the extractor that it takes ([`crate::Reads`],
//! [`crate::Changes`], …), an event in the gateway's table. There is no other way to learn who calls, so a verb without a price cannot be
//! written. Sends and new rooms have buckets of their own in the messages service, because only its writer knows whether it has seen a
//! nonce. Here a send pays one read for that look-up, and gets it back when the send counted there.
//!
//! Everything is counted in this process. Numbers of 0 are no limit.

mod known_tokens;
mod password_turns;
mod price;
mod rate_limited;
mod settings;
mod unauthenticated;
mod user_buckets;

pub use password_turns::{PasswordTry, PasswordTurn};
pub use price::Price;
pub use settings::AdmissionSettings;
pub use user_buckets::Paid;

use bus::Bus;
use contract::calls::users::Session;
use contract::{Clock, Refusal, UserId, Username};
use password_turns::PasswordTurns;
use std::net::IpAddr;
use std::sync::Arc;
use unauthenticated::Unauthenticated;
use user_buckets::UserBuckets;

/// The buckets of one process.
pub struct Admission {
    users: Arc<UserBuckets>,
    passwords: Arc<PasswordTurns>,
    unauthenticated: Unauthenticated,
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
        Arc::new(Self {
            users: UserBuckets::new(settings, clock),
            passwords: PasswordTurns::new(settings, clock),
            unauthenticated: Unauthenticated::new(settings, clock),
        })
    }

    /// Takes what a call costs from its user's bucket.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn pay(&self, user: UserId, price: Price) -> Result<Paid, Refusal> {
        self.users.pay(user, price)
    }

    /// Takes reads from a user's bucket beyond what a call's price says; more than 50 count as 50. Answers how many were taken: at most
    /// what a full bucket holds.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn take_reads(&self, user: UserId, count: u32) -> Result<u32, Refusal> {
        self.users.take_reads(user, count)
    }

    /// Counts a login of this address, before anything is hashed for it.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn log_in(&self, address: IpAddr) -> Result<PasswordTry, Refusal> {
        self.passwords.log_in(address)
    }

    /// Counts a password that a user tries in order to change it.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn change_password(&self, user: UserId) -> Result<PasswordTry, Refusal> {
        self.passwords.change_password(user)
    }

    /// Finds out whose token this is. When too many bad tokens came from an address, its tokens are not looked up any more, except those
    /// that were valid before: users who share the address with an attacker stay connected.
    ///
    /// # Errors
    /// `unauthenticated`, `rate_limited`, or what the users service refuses with.
    pub async fn authenticate(&self, bus: &Bus, address: IpAddr, token: String) -> Result<Session, Refusal> {
        self.unauthenticated.authenticate(bus, address, token).await
    }

    /// The same by a username alone, which only `open` mode takes. It may create the user, so it always counts for the address.
    ///
    /// # Errors
    /// `unauthenticated`, `rate_limited`, or what the users service refuses with.
    pub async fn authenticate_open(&self, bus: &Bus, address: IpAddr, username: Username) -> Result<Session, Refusal> {
        self.unauthenticated.authenticate_open(bus, address, username).await
    }

    /// A call came from this address without a token.
    ///
    /// # Errors
    /// Always: `unauthenticated` as `refusal` says, or `rate_limited` once there were too many.
    pub fn refuse_without_token<T>(&self, address: IpAddr, refusal: Refusal) -> Result<T, Refusal> {
        self.unauthenticated.count(address)?;
        Err(refusal)
    }

    /// A token that this process has just given out is valid.
    pub fn gave_out(&self, token: &str) {
        self.unauthenticated.gave_out(token);
    }
}
