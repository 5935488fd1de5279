//! `ChangePassword`: with the current one; all other tokens of the user are revoked.

use crate::log_in::invalid_credentials;
use crate::service::Users;
use contract::calls::users::ChangePassword;
use contract::hint::Revoked;
use contract::{Answer, Caller, Refusal};

impl Answer<ChangePassword> for Users {
    async fn answer(&self, who: &Caller, call: ChangePassword) -> Result<(), Refusal> {
        let user = who.user()?;
        let account = self.store.account_by_id(user.id).await?.ok_or_else(Refusal::unauthenticated)?;
        let stored = account.password.ok_or_else(|| Refusal::forbidden("you have no password here that could be changed"))?;
        if !self.hashing.matches(call.current_password, stored.clone()).await? {
            return Err(wrong_password());
        }
        let new = self.hashing.hash(call.new_password.into()).await?;
        if !self.store.set_password(user.id, Some(stored), new, Some(user.token)).await? {
            // Another call has changed it in the meantime.
            return Err(wrong_password());
        }
        self.forget_user(user.id, Some(user.token));
        self.bus.publish(Revoked::User { user: user.id, except: Some(user.token) });
        tracing::info!(user = %user.username, "changed the password; all other tokens are revoked");
        Ok(())
    }
}

fn wrong_password() -> Refusal {
    Refusal { detail: "this is not your current password".into(), ..invalid_credentials() }.about("current_password")
}
