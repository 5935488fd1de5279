//! `Authenticate`: whose token is this? Every REST call and every socket asks, so good answers are remembered.

use crate::jwt::Jwt;
use crate::service::Known;
use crate::store::{NewUser, Seen, Shown};
use crate::token::{self, Hash};
use crate::{Mode, Users};
use contract::calls::users::{Authenticate, Session};
use contract::{Answer, Caller, Code, Refusal, TokenId, User};

impl Answer<Authenticate> for Users {
    async fn answer(&self, _who: &Caller, call: Authenticate) -> Result<Session, Refusal> {
        let (whole, hash) = (token::whole(&call.token), token::hash(&call.token));
        let name = token::name(&hash);
        let now = self.clock.now();
        // Cut off from other processes, this one does not hear that a token has ended there.
        let remembered = if self.bus.missing().is_none() { self.sessions.get(&name) } else { None };
        // Nor does a token count any longer whose key was taken away.
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
            Mode::Jwt => Seen::Nobody,
            Mode::Password | Mode::PasswordAndJwt | Mode::Open => self.lookups.ask(Shown::Token(*hash)).await?,
        };
        let now = self.clock.now();
        // A token of `open` mode is nobody's proof where passwords are asked for.
        let taken = |has_password: bool| has_password || self.settings.mode == Mode::Open;
        match held {
            Seen::Holder(held) if held.expires_at > now && taken(held.has_password) => {
                Ok(Session { user: held.user, token: token::name(hash), expires_at: held.expires_at })
            }
            _ => Err(not_valid()),
        }
    }

    /// A token of the host application; its user appears on first sight.
    async fn by_jwt(&self, text: &str, hash: &Hash) -> Result<Session, Refusal> {
        let jwt = self.jwt.as_ref().ok_or_else(not_valid)?;
        let bearer = jwt.bearer(text, self.clock.now()).await?;
        let name = token::name(hash);
        let user = match self.lookups.ask(Shown::Foreign { token: name, origin: bearer.origin.clone() }).await? {
            Seen::Denied => return Err(not_valid()),
            Seen::Account(account) if account.disabled => return Err(not_valid()),
            Seen::Account(account) => account.user,
            Seen::Holder(_) | Seen::Nobody => {
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
        // Either the username is taken, or the same user came in twice at once.
        match self.lookups.ask(Shown::Foreign { token, origin }).await? {
            Seen::Denied => Err(not_valid()),
            Seen::Account(account) if account.disabled => Err(not_valid()),
            Seen::Account(account) => Ok(account.user),
            Seen::Holder(_) | Seen::Nobody => {
                let taken = format!("the username {} belongs to another user already", user.username);
                Err(Refusal::conflict(taken).about("username"))
            }
        }
    }
}

/// What is said of every token that is not valid (any more).
pub(crate) fn not_valid() -> Refusal {
    Refusal::new(Code::Unauthenticated, "this token is not valid (any more): log in again")
}
