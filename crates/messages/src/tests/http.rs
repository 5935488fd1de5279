//! What a call costs that is refused before a service is asked.

use super::house::{House, user};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use contract::calls::users::{Authenticate, Session};
use contract::{Answer, Caller, Clock, DisplayName, Refusal, Time, TokenId, User, UserRef};
use edge::{Admission, AdmissionSettings};
use std::sync::Arc;
use tower::ServiceExt;

/// Whoever shows a token is the user of that number.
struct Doorkeeper;

impl Answer<Authenticate> for Doorkeeper {
    async fn answer(&self, _: &Caller, call: Authenticate) -> Result<Session, Refusal> {
        let UserRef { id, username } = user(call.token.parse().map_err(|_| Refusal::unauthenticated())?);
        let display_name = DisplayName::from(&username);
        let user = User::plain(id, username, display_name, Time(0));
        Ok(Session { user, token: TokenId::from_bytes([1; 16]), expires_at: Time(i64::MAX) })
    }
}

/// Calls at a moment that lasts, so that nothing that was spent comes back.
struct Calls(axum::Router);

impl Calls {
    fn on(house: &House) -> Self {
        house.bus.serve::<Authenticate, _>(&Arc::new(Doorkeeper));
        let settings = AdmissionSettings { reads_burst: 100, ..AdmissionSettings::default() };
        let admission = Admission::new(&settings, &Clock::from_fn(|| Time(1_000_000_000_000)));
        Self(crate::http::routes(Arc::clone(&house.messages), house.bus.clone(), admission).split_for_parts().0)
    }

    async fn get(&self, path: &str, token: Option<u64>) -> StatusCode {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.0.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    }
}

/// Queries that cannot be read, or ask for what there cannot be.
const REFUSED: [(&str, StatusCode); 12] = [
    ("/messages/recent?days=many", StatusCode::BAD_REQUEST),
    ("/messages/recent?days=0", StatusCode::BAD_REQUEST),
    ("/messages/recent?limit=0", StatusCode::BAD_REQUEST),
    ("/messages/recent?from=!", StatusCode::BAD_REQUEST),
    ("/messages/search?q=x&limit=101", StatusCode::BAD_REQUEST),
    ("/messages/search?q=x&q=y", StatusCode::BAD_REQUEST),
    ("/messages/search?q=caf%E9", StatusCode::BAD_REQUEST),
    ("/messages/search?q=x&room=nowhere", StatusCode::NOT_FOUND),
    ("/messages/search", StatusCode::BAD_REQUEST),
    ("/messages/search?pinned=false", StatusCode::BAD_REQUEST),
    ("/messages/search?pinned=maybe", StatusCode::BAD_REQUEST),
    ("/messages/search?sender=u1&from=u2", StatusCode::BAD_REQUEST),
];

pub async fn a_query_that_is_refused_costs_one_read(house: House) {
    let calls = Calls::on(&house);
    for (number, (path, status)) in (1..).zip(REFUSED) {
        // Each as a user of its own, with 100 reads at once: a look takes 50 of them beforehand.
        for n in 1..=51 {
            assert_eq!(calls.get(path, Some(number)).await, status, "{path}, the {n}th time");
        }
        assert_eq!(calls.get(path, Some(number)).await, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
}

pub async fn who_shows_no_token_is_told_so_first(house: House) {
    let calls = Calls::on(&house);
    for (path, _) in REFUSED {
        assert_eq!(calls.get(path, None).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(calls.get("/messages/search?q=x", Some(1)).await, StatusCode::OK);
}
