//! The token that a socket depends on, and the moment in which it ends.

use super::sockets::Sockets;
use bus::{Bus, Heard, Subscription};
use contract::calls::users::{Session, WhichEnded};
use contract::hint::Revoked;
use contract::{Caller, Clock, Code, Refusal, UserCaller};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::Notify;

/// How soon a token that could not be checked is asked about again.
const RETRY: Duration = Duration::from_millis(200);
/// How often the clock is checked for a token that expires.
const LOOK: Duration = Duration::from_secs(1);

/// A token that was valid when it was shown.
pub(super) struct Token {
    session: Session,
    bus: Bus,
    clock: Clock,
    revoked: Subscription<Revoked>,
}

impl Token {
    /// Checks a `Bearer …`.
    ///
    /// # Errors
    /// `unauthenticated`, or that it cannot be checked now.
    pub(super) async fn check(sockets: &Sockets, address: IpAddr, authorization: Option<&str>) -> Result<Self, Refusal> {
        let Sockets { bus, clock, admission, .. } = sockets;
        let shown = authorization.and_then(|text| text.trim().split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let wrong = "connection_init needs a payload {\"authorization\": \"Bearer …\"}";
        let Some((_, token)) = shown else { return admission.refuse_without_token(address, Refusal::new(Code::Unauthenticated, wrong)) };
        // Before the check: what is revoked during it is heard.
        let revoked = bus.subscribe();
        let session = admission.authenticate(bus, address, token.trim().to_owned()).await?;
        Ok(Self { session, bus: bus.clone(), clock: clock.clone(), revoked })
    }

    /// Whose it is.
    pub(super) fn caller(&self) -> Caller {
        let user = &self.session.user;
        Caller::User(UserCaller { id: user.id, username: user.username.clone(), token: self.session.token })
    }

    /// Ends when the token has ended: it expired, or was revoked. Revocations are heard also while the users service is asked about the token,
    /// which may take long.
    pub(super) async fn ended(self) {
        let Self { session, bus, clock, mut revoked } = self;
        let (token, user) = (session.token, session.user.id);
        let ask = Notify::new();
        let said = async {
            while clock.now() < session.expires_at {
                let unsure = tokio::select! {
                    heard = revoked.next() => match heard {
                        Some(Heard::Hint(revoked)) => match &*revoked {
                            Revoked::Tokens(tokens) if tokens.contains(&token) => return,
                            Revoked::User { user: whose, except } if *whose == user && *except != Some(token) => return,
                            Revoked::AskAgain => true,
                            Revoked::Tokens(_) | Revoked::User { .. } => false,
                        },
                        Some(Heard::Missed(_)) => true,
                        None => return,
                    },
                    () = tokio::time::sleep(LOOK) => false,
                };
                if unsure {
                    ask.notify_one();
                }
            }
        };
        let found_out = async {
            loop {
                ask.notified().await;
                loop {
                    match bus.ask(&Caller::service("graphql"), WhichEnded { sessions: vec![(token, user)] }).await {
                        Ok(ended) if ended.is_empty() => break,
                        Ok(_) => return,
                        Err(refusal) => {
                            tracing::debug!(%refusal, "a token could not be checked again; its socket stays until it can");
                            tokio::time::sleep(RETRY).await;
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = said => {}
            () = found_out => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Answer, Time, TokenId, User, UserId};
    use std::sync::Arc;

    /// It takes a minute to say which tokens have ended: all of them.
    struct Slow;

    impl Answer<WhichEnded> for Slow {
        async fn answer(&self, _: &Caller, call: WhichEnded) -> Result<Vec<TokenId>, Refusal> {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(call.sessions.into_iter().map(|(token, _)| token).collect())
        }
    }

    fn token(bus: &Bus) -> Token {
        let user = User::plain(UserId::new(), "ann".try_into().unwrap(), "x".try_into().unwrap(), Time(0));
        let session = Session { user, token: TokenId::from_bytes([1; 16]), expires_at: Time(i64::MAX) };
        Token { session, bus: bus.clone(), clock: Clock::from_fn(|| Time(0)), revoked: bus.subscribe() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_while_the_service_is_asked_is_heard() {
        let bus = Bus::near();
        bus.serve::<WhichEnded, _>(&Arc::new(Slow));
        let named = tokio::spawn(token(&bus).ended());
        bus.publish(Revoked::AskAgain);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!named.is_finished());
        bus.publish(Revoked::Tokens(vec![TokenId::from_bytes([1; 16])]));
        tokio::time::timeout(Duration::from_secs(1), named).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_named_ends_by_the_answer() {
        let bus = Bus::near();
        bus.serve::<WhichEnded, _>(&Arc::new(Slow));
        let asked = tokio::spawn(token(&bus).ended());
        bus.publish(Revoked::AskAgain);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert!(!asked.is_finished());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(asked.is_finished());
    }
}
