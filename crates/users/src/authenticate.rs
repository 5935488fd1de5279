//! `Authenticate`: finds the user of a token. Every REST call and every socket asks, so valid sessions are cached.

use crate::jwt::Jwt;
use crate::service::{Known, Users};
use crate::settings::Mode;
use crate::store::{Credential, Identity, NewUser};
use crate::token::{self, Hash};
use contract::calls::users::{Authenticate, Session};
use contract::{Answer, Caller, Code, Refusal, TokenId, User};

impl Answer<Authenticate> for Users {
    async fn answer(&self, _who: &Caller, call: Authenticate) -> Result<Session, Refusal> {
        let (whole, hash) = (token::whole(&call.token), token::hash(&call.token));
        let name = token::name(&hash);
        let now = self.clock.now();
        // While the bus is cut off, this process gets no hint that a token has ended elsewhere, so the cache is not used.
        let remembered = if self.bus.missing().is_none() { self.sessions.get(&name) } else { None };
        // A session is not valid any more if its token's key was removed.
        let keys = self.jwt.as_ref().filter(|_| token::is_jwt(&call.token)).map(Jwt::generation);
        let holds = |known: &Known| known.whole == whole && known.keys == keys && known.session.expires_at > now;
        if let Some(known) = remembered.filter(holds) {
            return Ok(known.session);
        }
        let ticket = self.sessions.ticket();
        let session = if token::is_jwt(&call.token) { self.by_jwt(&call.token, &hash).await } else { self.by_token(&hash).await }?;
        self.sessions.insert(ticket, name, Known { whole, session: session.clone(), keys });
        Ok(session)
    }
}

impl Users {
    /// One of our own tokens.
    async fn by_token(&self, hash: &Hash) -> Result<Session, Refusal> {
        let held = match self.settings.mode {
            Mode::Jwt => Identity::Unknown,
            Mode::Password | Mode::PasswordAndJwt | Mode::Open => self.lookups.ask(Credential::Token(*hash)).await?,
        };
        let now = self.clock.now();
        // A token that was given out in `open` mode proves nothing in a mode with passwords.
        let taken = |has_password: bool| has_password || self.settings.mode == Mode::Open;
        match held {
            Identity::Holder(held) if held.expires_at > now && taken(held.has_password) => {
                Ok(Session { user: held.user, token: token::name(hash), expires_at: held.expires_at })
            }
            _ => Err(not_valid()),
        }
    }

    /// A token of the host application; its user is created the first time.
    async fn by_jwt(&self, text: &str, hash: &Hash) -> Result<Session, Refusal> {
        let jwt = self.jwt.as_ref().ok_or_else(not_valid)?;
        let bearer = jwt.bearer(text, self.clock.now()).await?;
        let name = token::name(hash);
        let user = match self.lookups.ask(Credential::Foreign { token: name, origin: bearer.origin.clone() }).await? {
            Identity::LoggedOut => return Err(not_valid()),
            Identity::Account(account) if account.disabled => return Err(not_valid()),
            Identity::Account(account) => account.user,
            Identity::Holder(_) | Identity::Unknown => {
                let new = NewUser { origin: Some(bearer.origin.clone()), ..NewUser::new(bearer.username.clone(), self.clock.now())? };
                self.first_seen(new, name, bearer.origin).await?
            }
        };
        Ok(Session { user, token: name, expires_at: bearer.expires_at })
    }

    async fn first_seen(&self, new: NewUser, token: TokenId, origin: String) -> Result<User, Refusal> {
        let user = User::from(&new);
        if self.creations.ask(new).await? {
            tracing::info!(user = %user.username, id = %user.id, "a user of the host application was seen for the first time");
            return Ok(user);
        }
        // Either the username is taken, or two calls created the same user at once.
        match self.lookups.ask(Credential::Foreign { token, origin }).await? {
            Identity::LoggedOut => Err(not_valid()),
            Identity::Account(account) if account.disabled => Err(not_valid()),
            Identity::Account(account) => Ok(account.user),
            Identity::Holder(_) | Identity::Unknown => {
                let taken = format!("the username {} belongs to another user already", user.username);
                Err(Refusal::conflict(taken).about("username"))
            }
        }
    }
}

/// The one refusal for every token that is not valid.
pub(crate) fn not_valid() -> Refusal {
    Refusal::new(Code::Unauthenticated, "this token is not valid (any more): log in again")
}
