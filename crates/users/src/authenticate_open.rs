//! `AuthenticateOpen`: a username alone, in `open` mode. The session has no token, so it gets a name of its own.

use crate::authenticate::not_valid;
use crate::store::NewUser;
use crate::{Mode, Users, token};
use contract::calls::users::{AuthenticateOpen, Session};
use contract::{Answer, Caller, Code, Refusal, User};

impl Answer<AuthenticateOpen> for Users {
    async fn answer(&self, _who: &Caller, call: AuthenticateOpen) -> Result<Session, Refusal> {
        if self.settings.mode != Mode::Open {
            return Err(Refusal::new(Code::Unauthenticated, "a username alone is no proof here: log in and show the token"));
        }
        let now = self.clock.now();
        let user = match self.store.account_by_name(&call.username).await? {
            Some(account) if account.disabled || account.password.is_some() => return Err(not_valid()),
            Some(account) => account.user,
            None if !self.may_register() => return Err(not_valid()),
            None => {
                let new = NewUser::new(call.username.clone(), now);
                let user = User::from(&new);
                if self.store.create(new, None).await? {
                    user
                } else {
                    // Somebody else was first with this name.
                    let account = self.store.account_by_name(&call.username).await?;
                    account.filter(|account| !account.disabled).ok_or_else(not_valid)?.user
                }
            }
        };
        let token = token::name_of_none();
        let token = token.map_err(|error| edge::incident(&format_args!("no random numbers for a session: {error}")))?;
        Ok(Session { user, token, expires_at: now.plus(self.token_lifetime()) })
    }
}
