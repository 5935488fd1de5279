//! What every request passes before it is routed and every answer after: request id, address, Host, origin, body limit, a net below
//! panics, warnings, the access log and the HTTP metrics. [`pass`] reads downward.

use crate::body::{self, Bounded, TooLarge};
use crate::host;
use crate::origins::{self, AllowedOrigins, Verdict};
use crate::warnings::Warnings;
use crate::{Peer, Problem, TrustedProxies, caught};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use contract::{Code, Refusal};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use http_body::Body as _;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the outer layer needs to know.
#[derive(Clone, Debug)]
pub struct OuterSettings {
    /// The most bytes that a request's body may have (`limits.frame_bytes`); 0 is no limit. 128 KiB: 8,000 characters outside the BMP,
    /// JSON-escaped, are 96 KB.
    pub frame_bytes: usize,
    /// From which other origins pages may call (`allowed_origins`).
    pub allowed_origins: AllowedOrigins,
    /// Whose X-Forwarded-For is believed (`trusted_proxies`).
    pub trusted_proxies: TrustedProxies,
}

impl Default for OuterSettings {
    fn default() -> Self {
        Self { frame_bytes: 128 * 1024, allowed_origins: AllowedOrigins::default(), trusted_proxies: TrustedProxies::default() }
    }
}

/// Wraps the program's whole router, once. An unknown route and a wrong method are answered as problems (a fallback that the router had
/// is replaced). Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, or every client has the same address, 0.0.0.0.
pub fn outer(router: Router, settings: OuterSettings) -> Router {
    router
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::new(settings), pass))
}

async fn no_route(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Refusal::not_found(format!("there is nothing at {path}; /docs lists what there is")).into()
}

async fn wrong_method(method: Method) -> Problem {
    Refusal::new(Code::MethodNotAllowed, format!("{method} is not possible here; the Allow header names what is")).into()
}

async fn pass(State(settings): State<Arc<OuterSettings>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let id = request_id(&parts.headers);
    let peer = Peer::find(&parts, &settings.trusted_proxies);
    parts.extensions.insert(peer);
    let warnings = Warnings::default();
    parts.extensions.insert(warnings.clone());
    let method = parts.method.clone();
    let route = parts.extensions.get::<MatchedPath>().map_or("none".to_owned(), |path| path.as_str().to_owned());
    // The path without its query: a query may hold what does not belong in a log.
    let span = tracing::info_span!("request", id = ?id, %method, path = parts.uri.path(), user = tracing::field::Empty);

    let host = host::take(&mut parts);
    let verdict = settings.allowed_origins.judge(&parts.headers, &parts.uri);
    let answer = async {
        if let Err(refusal) = host {
            // Where the next request begins on this connection, two servers may see differently.
            return ([(header::CONNECTION, "close")], Problem(refusal)).into_response();
        }
        match &verdict {
            Verdict::Refused(refusal) => Problem(refusal.clone()).into_response(),
            Verdict::Foreign(_) if origins::is_preflight(&parts.method, &parts.headers) => origins::preflight(&parts.headers),
            Verdict::Own | Verdict::Foreign(_) => match bounded(&parts.headers, body, settings.frame_bytes).await {
                Ok(body) => {
                    let answer = caught(next.run(Request::from_parts(parts, body)).map(Ok)).await;
                    answer.unwrap_or_else(|refusal| Problem(refusal).into_response())
                }
                Err(refusal) => refused_body(refusal),
            },
        }
    };
    let mut response = answer.instrument(span.clone()).await;

    let done = response.status().is_success();
    let headers = response.headers_mut();
    if done {
        warnings.tell(headers);
    }
    origins::vary(headers);
    if let Verdict::Foreign(origin) = verdict {
        origins::say_allowed(headers, origin);
    }
    be_safe(headers);
    headers.insert(REQUEST_ID, id);

    let (status, took) = (response.status().as_u16(), started.elapsed());
    span.in_scope(|| tracing::debug!(status, ms = took.as_secs_f64() * 1_000.0, peer = %peer.0, "answered a request"));
    let (method, route) = (method_label(&method), metrics::SharedString::from(route));
    metrics::histogram!("guild_http_seconds", "method" => method, "route" => route.clone()).record(took.as_secs_f64());
    metrics::counter!("guild_http_requests_total", "method" => method, "route" => route, "status" => status.to_string()).increment(1);
    response
}

/// The client's own id for this request where it is a plain word of up to 64 characters, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let new = || HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or(HeaderValue::from_static("none"));
    headers.get(REQUEST_ID).filter(plain).cloned().unwrap_or_else(new)
}

/// The body within its bound; a refusal for one that can be refused by what its headers say.
async fn bounded(headers: &HeaderMap, body: Body, bound: usize) -> Result<Body, Refusal> {
    let bound = match bound {
        0 => u64::MAX,
        bound => u64::try_from(bound).unwrap_or(u64::MAX),
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let refusal = if announced.is_some_and(|length| length > bound) {
        Refusal::new(Code::TooLarge, TooLarge(bound).to_string())
    } else if let Some(coding) = body::foreign_coding(headers).filter(|_| !body.is_end_stream()) {
        // The clients' own word, so escaped and cut.
        let detail = format!("the body has the Content-Encoding {coding:?}; bodies are taken only as they are: send it without");
        Refusal::new(Code::UnsupportedMediaType, detail)
    } else {
        return Ok(Body::new(Bounded::new(body, bound)));
    };
    // Who waits for a "100 Continue" has sent nothing yet.
    if !headers.contains_key(header::EXPECT) {
        Bounded::throw_away(body, bound).await;
    }
    Err(refusal)
}

fn refused_body(refusal: Refusal) -> Response {
    let encoded = refusal.code == Code::UnsupportedMediaType;
    let mut response = Problem(refusal).into_response();
    if encoded {
        // Says which codings are taken (RFC 9110, section 15.5.16).
        response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}

fn be_safe(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    // Answers are somebody's own, those to long polling too; a document that may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A client may invent methods without end; a metric may not have labels without end.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
#[path = "outer_tests.rs"]
mod tests;
