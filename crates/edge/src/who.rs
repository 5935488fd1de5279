//! Who calls: `Authorization: Bearer …` becomes a `Caller`.

use crate::Problem;
use axum::extract::{FromRef, FromRequestParts};
use bus::Bus;
use contract::calls::users::Authenticate;
use contract::{Caller, Refusal, UserCaller};
use http::{header, request::Parts};

/// The user who calls, authenticated by the users service. Without a valid token the request is refused with `unauthenticated`.
#[derive(Clone, Debug)]
pub struct Who(pub Caller);

impl<S> FromRequestParts<S> for Who
where
    S: Send + Sync,
    Bus: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        let session = Bus::from_ref(state).ask(&Caller::Anonymous, Authenticate { token }).await?;
        let caller = UserCaller { id: session.user.id, username: session.user.username, token: session.token };
        tracing::Span::current().record("user", tracing::field::display(&caller.username));
        Ok(Self(Caller::User(caller)))
    }
}

fn bearer(parts: &Parts) -> Result<String, Refusal> {
    let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(Refusal::unauthenticated)?;
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
        let parts = |value: &str| Request::builder().header("authorization", value).body(()).unwrap().into_parts().0;
        assert_eq!(bearer(&parts("Bearer abc")).unwrap(), "abc");
        assert_eq!(bearer(&parts("bEARER  abc ")).unwrap(), "abc");
        for wrong in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(bearer(&parts(wrong)).unwrap_err().code, contract::Code::Unauthenticated, "{wrong}");
        }
        assert!(bearer(&Request::new(()).into_parts().0).is_err());
    }
}
