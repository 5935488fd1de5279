//! `Logout`: revokes the token that it comes with.

use crate::jwt::Jwt;
use crate::service::Users;
use crate::token;
use contract::calls::users::Logout;
use contract::hint::Revoked;
use contract::{Answer, Caller, Refusal, Time, UserCaller};
use std::time::Duration;

/// How long a host application's token is denied if its `exp` is not known: longer than any token should live. Only a process of an older
/// version logs out without the token.
const LONG: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Answer<Logout> for Users {
    async fn answer(&self, who: &Caller, call: Logout) -> Result<(), Refusal> {
        let user = who.user()?;
        let ours = self.store.remove_token(user.token).await?;
        if let Some(jwt) = self.jwt.as_ref().filter(|_| !ours)
            && let Some(expires_at) = self.denied_until(jwt, user, call.token.as_deref()).await?
        {
            self.store.deny_jwt(user.token, expires_at).await?;
        }
        self.sessions.forget(&user.token);
        self.bus.publish(Revoked::Tokens(vec![user.token]));
        tracing::info!(user = %user.username, "logged out");
        Ok(())
    }
}

impl Users {
    /// Until when to deny a token that is not stored here. A host application's token is denied until its own `exp`. The cache may not have it, so
    /// the token itself is read. `None` for one of ours that was revoked in the meantime.
    async fn denied_until(&self, jwt: &Jwt, user: &UserCaller, token: Option<&str>) -> Result<Option<Time>, Refusal> {
        if let Some(known) = self.sessions.get(&user.token) {
            return Ok(known.keys.map(|_| known.session.expires_at));
        }
        match token.filter(|token| token::name(&token::hash(token)) == user.token) {
            Some(token) if token::is_jwt(token) => Ok(Some(jwt.bearer(token, self.clock.now()).await?.expires_at)),
            Some(_) => Ok(None),
            None => Ok(Some(self.clock.now().plus(LONG))),
        }
    }
}
