//! `Logout`: revokes the token that it comes with.

use crate::Users;
use contract::calls::users::Logout;
use contract::hint::Revoked;
use contract::{Answer, Caller, Refusal};
use std::time::Duration;

/// How long a host application's token is denied whose `exp` is not known any more: longer than any token should live.
const LONG: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Answer<Logout> for Users {
    async fn answer(&self, who: &Caller, _call: Logout) -> Result<(), Refusal> {
        let user = who.user()?;
        let session = self.sessions.get(&user.token);
        let ours = self.store.remove_token(user.token).await?;
        if !ours && self.settings.mode.takes_jwt() {
            let expires_at = session.map_or_else(|| self.clock.now().plus(LONG), |known| known.session.expires_at);
            self.store.deny_jwt(user.token, expires_at).await?;
        }
        self.sessions.forget(&user.token);
        self.bus.publish(Revoked::Tokens(vec![user.token]));
        tracing::info!(user = %user.username, "logged out");
        Ok(())
    }
}
