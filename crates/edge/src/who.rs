//! Who calls, and what the call has paid: `Authorization: Bearer …` becomes a `Caller`. A handler takes one of these extractors and says by it
//! what it costs ([`crate::admission`]). Without a valid token the request is refused with `unauthenticated`, past a limit with
//! `rate_limited`, in both cases before its body is read.

use crate::{Admission, Paid, PasswordTry, Peer, Price, Problem};
use axum::extract::{FromRef, FromRequestParts};
use bus::Bus;
use contract::{Caller, Refusal, UserCaller};
use http::{HeaderMap, header, request::Parts};
use std::sync::Arc;

/// The caller of a verb that reads a bounded amount.
#[derive(Clone, Debug)]
pub struct Reads(pub Caller);

/// The caller of a verb that writes something durable.
#[derive(Clone, Debug)]
pub struct Changes(pub Caller);

/// The caller of a verb that may look at much; the handler says how much it was ([`Paid::looked_at`]).
#[derive(Debug)]
pub struct Looks(pub Caller, pub Paid);

/// The caller who sends a message; the handler says whether it counted elsewhere ([`Paid::counted`]).
#[derive(Debug)]
pub struct Sends(pub Caller, pub Paid);

/// The caller who changes a password by showing the present one: a change, and one of the few passwords a minute that a user may try. The
/// handler takes a turn ([`PasswordTry::turn`]) and keeps it until the password is checked.
#[derive(Debug)]
pub struct Passwords(pub Caller, pub PasswordTry);

/// An address that logs in; it is no user yet. The handler takes a turn as for [`Passwords`].
#[derive(Debug)]
pub struct Logins(pub PasswordTry);

async fn paid<S>(parts: &Parts, state: &S, price: Price) -> Result<(Caller, Paid), Problem>
where
    Bus: FromRef<S>,
    Arc<Admission>: FromRef<S>,
{
    let admission = Arc::<Admission>::from_ref(state);
    let address = Peer::of(parts).key();
    let token = match Token::of(&parts.headers) {
        Ok(Token(token)) => token,
        Err(refusal) => return Ok(admission.refuse_without_token(address, refusal)?),
    };
    let session = admission.authenticate(&Bus::from_ref(state), address, token).await?;
    let caller = UserCaller { id: session.user.id, username: session.user.username, token: session.token };
    tracing::Span::current().record("user", tracing::field::display(&caller.username));
    let paid = admission.pay(caller.id, price)?;
    Ok((Caller::User(caller), paid))
}

/// An extractor that pays a price and keeps of it what its handler needs.
macro_rules! extractor {
    ($name:ident, $price:expr, $made:expr) => {
        impl<S> FromRequestParts<S> for $name
        where
            S: Send + Sync,
            Bus: FromRef<S>,
            Arc<Admission>: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                paid(parts, state, $price).await.map($made)
            }
        }
    };
}

extractor!(Reads, Price::Read, |(who, _)| Self(who));
extractor!(Changes, Price::Change, |(who, _)| Self(who));
extractor!(Looks, Price::Look, |(who, paid)| Self(who, paid));
extractor!(Sends, Price::Send, |(who, paid)| Self(who, paid));

impl<S> FromRequestParts<S> for Passwords
where
    S: Send + Sync,
    Bus: FromRef<S>,
    Arc<Admission>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (who, _) = paid(parts, state, Price::Change).await?;
        let attempt = Arc::<Admission>::from_ref(state).change_password(who.user()?.id)?;
        Ok(Self(who, attempt))
    }
}

impl<S> FromRequestParts<S> for Logins
where
    S: Send + Sync,
    Arc<Admission>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Arc::<Admission>::from_ref(state).log_in(Peer::of(parts).key())?))
    }
}

/// The token that a request shows, valid or not.
#[derive(Clone)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Reads it from the header `authorization`.
    ///
    /// # Errors
    /// `unauthenticated`: there is none.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        bearer(headers).map(Self)
    }
}

fn bearer(headers: &HeaderMap) -> Result<String, Refusal> {
    let header = headers.get(header::AUTHORIZATION).ok_or_else(Refusal::unauthenticated)?;
    let wrong = || Refusal::new(contract::Code::Unauthenticated, "the Authorization header must be: Bearer, a space, the token");
    let (scheme, token) = header.to_str().map_err(|_| wrong())?.trim().split_once(' ').ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim().to_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        let parts = |value: &str| Request::builder().header("authorization", value).body(()).unwrap().headers().clone();
        assert_eq!(bearer(&parts("Bearer abc")).unwrap(), "abc");
        assert_eq!(bearer(&parts("bEARER  abc ")).unwrap(), "abc");
        for wrong in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(bearer(&parts(wrong)).unwrap_err().code, contract::Code::Unauthenticated, "{wrong}");
        }
        assert!(bearer(&HeaderMap::new()).is_err());
    }
}
