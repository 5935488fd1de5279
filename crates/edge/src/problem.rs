//! A refusal over HTTP: RFC 9457 `application/problem+json`.

use axum::response::{IntoResponse, Response};
use contract::{Code, Refusal};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A refusal as an HTTP answer. `?` makes one of a [`Refusal`].
#[derive(Clone, Debug)]
pub struct Problem(pub Refusal);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// The body of every answer that is not a success (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// What kind of problem this is, as a link to its explanation: `/docs/errors#` and the code.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/docs/errors#not_found")]
    pub kind: String,
    /// The kind's name for people; the same for every problem with this code.
    #[schema(example = "Not found")]
    pub title: String,
    /// The HTTP status once more.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// The kind for programs.
    pub code: Code,
    /// What happened here, and what to do.
    #[schema(example = "no such room, or you are not a member of it")]
    pub detail: String,
    /// The request's field that it is about: `usernames[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "room")]
    pub field: Option<String>,
    /// Names this fault in the server's log (`internal`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub incident: Option<String>,
}

impl From<Refusal> for ProblemBody {
    fn from(refusal: Refusal) -> Self {
        Self {
            kind: format!("/docs/errors#{}", refusal.code.as_str()),
            title: refusal.code.title().to_owned(),
            status: refusal.code.status(),
            code: refusal.code,
            detail: refusal.detail,
            field: refusal.field,
            incident: refusal.incident,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry) = (self.0.code, self.0.retry_after_ms);
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(ProblemBody::from(self.0))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(ms) = retry {
            // Retry-After knows whole seconds only; sooner than told would be refused again.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000).max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 asks for it with every 401.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_refusal_keeps_everything_it_says() {
        let mut refusal = Refusal::rate_limited("too many rooms", Duration::from_millis(1_001)).about("usernames[0]");
        refusal.incident = Some("7".into());
        let response = Problem(refusal).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 9_999).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            serde_json::json!({
                "type": "/docs/errors#rate_limited", "title": "Too many requests", "status": 429, "code": "rate_limited",
                "detail": "too many rooms", "field": "usernames[0]", "incident": "7",
            })
        );
    }

    #[test]
    fn every_401_names_the_scheme() {
        for code in Code::ALL {
            let response = Problem(Refusal::new(code, "x")).into_response();
            assert_eq!(response.headers().contains_key(header::WWW_AUTHENTICATE), code.status() == 401);
            assert_eq!(response.status(), code.status());
        }
    }
}
