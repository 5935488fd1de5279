//! The token by which a socket lives, and the moment in which it does not any more.

use super::Sockets;
use bus::{Bus, Heard, Subscription};
use contract::calls::users::{Session, WhichEnded};
use contract::hint::Revoked;
use contract::{Caller, Clock, Code, Refusal, UserCaller};
use std::net::IpAddr;
use std::time::Duration;

/// How soon a token that could not be checked is asked about again.
const RETRY: Duration = Duration::from_millis(200);
/// How often the clock is looked at for a token that runs out.
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
        let Some((_, token)) = shown else { return admission.nobody(address, Refusal::new(Code::Unauthenticated, wrong)) };
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

    /// Ends when the token has ended: it ran out, or was revoked.
    pub(super) async fn ended(mut self) {
        let (token, user) = (self.session.token, self.session.user.id);
        let mut unsure = false;
        loop {
            if self.clock.now() >= self.session.expires_at {
                return;
            }
            let ask = tokio::select! {
                heard = self.revoked.next() => match heard {
                    Some(Heard::Hint(revoked)) => match &*revoked {
                        Revoked::Tokens(tokens) if tokens.contains(&token) => return,
                        Revoked::User { user: whose, except } if *whose == user && *except != Some(token) => return,
                        Revoked::AskAgain => true,
                        Revoked::Tokens(_) | Revoked::User { .. } => false,
                    },
                    Some(Heard::Missed(_)) => true,
                    None => return,
                },
                () = tokio::time::sleep(RETRY), if unsure => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            if ask {
                match self.bus.ask(&Caller::service("graphql"), WhichEnded { sessions: vec![(token, user)] }).await {
                    Ok(ended) if ended.is_empty() => unsure = false,
                    Ok(_) => return,
                    Err(refusal) => {
                        tracing::debug!(%refusal, "a token could not be checked again; its socket stays until it can");
                        unsure = true;
                    }
                }
            }
        }
    }
}
