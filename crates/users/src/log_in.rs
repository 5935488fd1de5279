//! `Login`: a username and a password, or in `open` mode a username, for a token. A new user is created.

use crate::service::Users;
use crate::settings::Mode;
use crate::store::{Account, NewToken, NewUser};
use crate::token;
use contract::calls::users::{LoggedIn, Login, LoginAnswer};
use contract::{Answer, Caller, Code, Refusal, Time, User, Username};
use std::time::Instant;

impl Answer<Login> for Users {
    async fn answer(&self, _who: &Caller, call: Login) -> Result<LoggedIn, Refusal> {
        let started = Instant::now();
        let answer = match (self.settings.mode, call.password) {
            (Mode::Jwt, _) => Err(Refusal::forbidden("there are no logins here: this server takes the tokens of its host application")),
            (Mode::Open, _) => self.log_in_openly(call.username).await,
            (Mode::Password | Mode::PasswordAndJwt, None) => Err(Refusal::invalid("password", "password: it is needed")),
            (Mode::Password | Mode::PasswordAndJwt, Some(password)) => self.log_in_by_password(call.username, password.into()).await,
        };
        metrics::histogram!("guild_login_seconds").record(started.elapsed().as_secs_f64());
        if let Ok(LoggedIn { created, login }) = &answer {
            tracing::info!(user = %login.user.username, id = %login.user.id, created, "logged in");
        }
        answer
    }
}

/// A token that is not given out yet.
struct Minted {
    text: String,
    stored: NewToken,
}

impl Minted {
    fn of(self, user: User, created: bool) -> LoggedIn {
        LoggedIn { created, login: LoginAnswer { user, token: self.text, expires_at: self.stored.expires_at } }
    }
}

impl Users {
    async fn log_in_by_password(&self, username: Username, password: String) -> Result<LoggedIn, Refusal> {
        match self.store.account_by_name(&username).await? {
            Some(account) => self.log_in_as(account, password).await,
            None if self.may_register() => self.register(username, password).await,
            None => {
                self.hashing.pretend(password).await?;
                Err(invalid_credentials())
            }
        }
    }

    async fn log_in_as(&self, account: Account, password: String) -> Result<LoggedIn, Refusal> {
        let Some(stored) = account.password else {
            self.hashing.pretend(password).await?;
            return Err(invalid_credentials());
        };
        // A disabled user's password is checked too, so that the time reveals nothing.
        let right = self.hashing.matches(password, stored.clone()).await?;
        let minted = self.mint(self.clock.now())?;
        if right && !account.disabled && self.store.add_token(account.user.id, Some(stored), minted.stored).await? {
            Ok(minted.of(account.user, false))
        } else {
            Err(invalid_credentials())
        }
    }

    async fn register(&self, username: Username, password: String) -> Result<LoggedIn, Refusal> {
        let now = self.clock.now();
        let new = NewUser::new(username.clone(), now)?;
        let new = NewUser { password: Some(self.hashing.hash(password.clone()).await?), ..new };
        let (user, minted) = (User::from(&new), self.mint(now)?);
        if self.store.create(new, Some(minted.stored)).await? {
            return Ok(minted.of(user, true));
        }
        // Another call has just created this name: now it is a usual login.
        match self.store.account_by_name(&username).await? {
            Some(account) => self.log_in_as(account, password).await,
            None => Err(invalid_credentials()),
        }
    }

    async fn log_in_openly(&self, username: Username) -> Result<LoggedIn, Refusal> {
        let now = self.clock.now();
        let minted = self.mint(now)?;
        if let Some(account) = self.store.account_by_name(&username).await? {
            return self.token_openly(account, minted).await;
        }
        if !self.may_register() {
            return Err(invalid_credentials());
        }
        let new = NewUser::new(username.clone(), now)?;
        let user = User::from(&new);
        if self.store.create(new, Some(minted.stored)).await? {
            return Ok(minted.of(user, true));
        }
        match self.store.account_by_name(&username).await? {
            Some(account) => self.token_openly(account, minted).await,
            None => Err(invalid_credentials()),
        }
    }

    async fn token_openly(&self, account: Account, minted: Minted) -> Result<LoggedIn, Refusal> {
        // No password is asked for, so this must not log in a user who has got one since the start.
        let open = account.password.is_none() && self.store.add_token(account.user.id, None, minted.stored).await?;
        if open { Ok(minted.of(account.user, false)) } else { Err(invalid_credentials()) }
    }

    fn mint(&self, now: Time) -> Result<Minted, Refusal> {
        let text = token::new().map_err(|error| edge::incident(&format_args!("no random numbers for a token: {error}")))?;
        let stored = NewToken { hash: token::hash(&text), created_at: now, expires_at: now.plus(self.token_lifetime()) };
        Ok(Minted { text, stored })
    }
}

/// The one refusal for: no such user, a wrong password, no password, a disabled user.
pub(crate) fn invalid_credentials() -> Refusal {
    Refusal::new(Code::InvalidCredentials, "this username and password do not belong together, or may not log in")
}
