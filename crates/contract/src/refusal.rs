//! Why something was not done. It knows no transport: an edge makes problem+json, an acknowledgement or a connect_error of it.
//!
//! Which to use where: a service refuses with the most exact [`Code`]; a room that is not the caller's is `NotFound`; what a store
//! cannot do becomes `Busy` (try again) or `Internal` with an incident id at the service's edge, logged once, there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of refusal, with the HTTP status that each has over REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// 400: something in the request breaks a rule; `field` says where.
    InvalidRequest,
    /// 401: no token, or one that is not valid (any more).
    Unauthenticated,
    /// 401: this username and password do not belong together.
    InvalidCredentials,
    /// 403: you are known, and may not do this.
    Forbidden,
    /// 404: no such thing, or none that you may know of.
    NotFound,
    /// 405: the path exists, this method of it does not.
    MethodNotAllowed,
    /// 409: what is there already does not go together with this.
    Conflict,
    /// 409: this nonce was used for something else.
    NonceConflict,
    /// 413: more bytes than are taken.
    TooLarge,
    /// 415: not JSON.
    UnsupportedMediaType,
    /// 429: too often; try again after the time named.
    RateLimited,
    /// 500: a fault of ours; the incident id is in the log.
    Internal,
    /// 503: cannot be done right now; nothing happened; try again.
    Busy,
}

impl Code {
    /// Every code, in the order of their statuses.
    pub const ALL: [Code; 13] = [
        Code::InvalidRequest,
        Code::Unauthenticated,
        Code::InvalidCredentials,
        Code::Forbidden,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::Conflict,
        Code::NonceConflict,
        Code::TooLarge,
        Code::UnsupportedMediaType,
        Code::RateLimited,
        Code::Internal,
        Code::Busy,
    ];

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Code::InvalidRequest => 400,
            Code::Unauthenticated | Code::InvalidCredentials => 401,
            Code::Forbidden => 403,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::Conflict | Code::NonceConflict => 409,
            Code::TooLarge => 413,
            Code::UnsupportedMediaType => 415,
            Code::RateLimited => 429,
            Code::Internal => 500,
            Code::Busy => 503,
        }
    }

    /// As it stands on the wire: `invalid_request`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::Unauthenticated => "unauthenticated",
            Code::InvalidCredentials => "invalid_credentials",
            Code::Forbidden => "forbidden",
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::Conflict => "conflict",
            Code::NonceConflict => "nonce_conflict",
            Code::TooLarge => "too_large",
            Code::UnsupportedMediaType => "unsupported_media_type",
            Code::RateLimited => "rate_limited",
            Code::Internal => "internal",
            Code::Busy => "busy",
        }
    }

    /// A short name for people, the same for every refusal of this kind.
    pub fn title(self) -> &'static str {
        match self {
            Code::InvalidRequest => "Invalid request",
            Code::Unauthenticated => "Not authenticated",
            Code::InvalidCredentials => "Wrong username or password",
            Code::Forbidden => "Forbidden",
            Code::NotFound => "Not found",
            Code::MethodNotAllowed => "Method not allowed",
            Code::Conflict => "Conflict",
            Code::NonceConflict => "Nonce used for something else",
            Code::TooLarge => "Too large",
            Code::UnsupportedMediaType => "Unsupported media type",
            Code::RateLimited => "Too many requests",
            Code::Internal => "Internal error",
            Code::Busy => "Busy",
        }
    }
}

/// A refusal: the code, a sentence for people that says what to do, and what else is known. As it stands it is the `error` of an
/// acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what happened and what to do.
    #[schema(example = "no such room, or you are not a member of it")]
    pub detail: String,
    /// The request's field that it is about, dotted where it is nested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "room")]
    pub field: Option<String>,
    /// When it may work, in milliseconds from now (`rate_limited`, `busy`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub retry_after_ms: Option<u64>,
    /// Names this fault in the server's log (`internal`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub incident: Option<String>,
}

impl Refusal {
    /// A refusal with a code and a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, retry_after_ms: None, incident: None }
    }

    /// `invalid_request` about one field.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail).about(field)
    }

    /// No valid token.
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "log in first: a valid token is needed")
    }

    /// Known, but not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// No such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    /// The one sentence for a room that is not there or not the caller's: the two must look the same.
    pub fn no_room() -> Self {
        Self::not_found("no such room, or you are not a member of it").about("room")
    }

    /// Does not go together with what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    /// Too often; `after` is when the next one is let through.
    pub fn rate_limited(detail: impl Into<String>, after: std::time::Duration) -> Self {
        Self::new(Code::RateLimited, detail).after(after)
    }

    /// Not now; nothing happened.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(Code::Busy, detail).after(std::time::Duration::from_secs(1))
    }

    /// The same, about this field.
    pub fn about(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, with the time after which to try again (rounded up to a millisecond).
    pub fn after(mut self, after: std::time::Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(after.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX));
        self
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_the_same_everywhere() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
