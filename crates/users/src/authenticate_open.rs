//! `AuthenticateOpen`: a username alone, in `open` mode. The session has no token, so it gets a random name.

use crate::authenticate::not_valid;
use crate::service::Users;
use crate::settings::Mode;
use crate::store::{Credential, Identity, NewUser};
use crate::token;
use contract::calls::users::{AuthenticateOpen, Session};
use contract::{Answer, Caller, Code, Refusal, User};

impl Answer<AuthenticateOpen> for Users {
    async fn answer(&self, _who: &Caller, call: AuthenticateOpen) -> Result<Session, Refusal> {
        if self.settings.mode != Mode::Open {
            return Err(Refusal::new(Code::Unauthenticated, "a username alone is no proof here: log in and show the token"));
        }
        let now = self.clock.now();
        let user = match self.lookups.ask(Credential::Username(call.username.clone())).await? {
            Identity::Account(account) if account.disabled || account.password.is_some() => return Err(not_valid()),
            Identity::Account(account) => account.user,
            _ if !self.may_register() => return Err(not_valid()),
            _ => {
                let new = NewUser::new(call.username.clone(), now)?;
                let user = User::from(&new);
                if self.creations.ask(new).await? {
                    user
                } else {
                    // Another call has just created this name.
                    match self.lookups.ask(Credential::Username(call.username)).await? {
                        Identity::Account(account) if !account.disabled && account.password.is_none() => account.user,
                        _ => return Err(not_valid()),
                    }
                }
            }
        };
        let token = token::name_of_none();
        let token = token.map_err(|error| edge::incident(&format_args!("no random numbers for a session: {error}")))?;
        Ok(Session { user, token, expires_at: now.plus(self.token_lifetime()) })
    }
}
