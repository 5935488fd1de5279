//! From which pages' origins browsers may call: the same origin, and those in the setting `allowed_origins`. It holds for everything,
//! WebSocket upgrades and long polling too, because a browser lets any page open a WebSocket.

use axum::response::{IntoResponse, Response};
use contract::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// An origin: scheme, host, and the port where it is not the scheme's own, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    authority: String,
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not an origin: expected \"*\", or scheme, host and port alone, like https://app.example");
        let lower = text.trim().to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
        let scheme_ok = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let authority_ok = !authority.is_empty() && authority.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@\\*,\"<>".contains(&b));
        if !scheme_ok || !authority_ok {
            return Err(wrong());
        }
        Ok(Self { scheme: scheme.to_owned(), authority: without_default_port(scheme, authority).to_owned() })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

/// The setting `allowed_origins`: the origins besides the own one whose pages may call. None by default; `*` is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct AllowedOrigins {
    any: bool,
    these: Vec<Origin>,
}

impl TryFrom<Vec<String>> for AllowedOrigins {
    type Error = String;
    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let (any, these): (Vec<_>, Vec<_>) = texts.iter().partition(|text| text.trim() == "*");
        Ok(Self { any: !any.is_empty(), these: these.into_iter().map(|text| text.parse()).collect::<Result<_, _>>()? })
    }
}

/// What is to be done with a request because of its origin.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// No page of another origin is behind it.
    Own,
    /// A page of an allowed origin: the answer says so.
    Foreign(HeaderValue),
    /// Not to be answered.
    Refused(Refusal),
}

impl AllowedOrigins {
    pub(crate) fn judge(&self, headers: &HeaderMap, uri: &Uri) -> Verdict {
        let Some(value) = headers.get(header::ORIGIN) else { return Verdict::Own };
        let origin = value.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()));
        match &origin {
            Some(origin) if host.is_some_and(|host| same_host(origin, host)) => Verdict::Own,
            _ if self.any => Verdict::Foreign(value.clone()),
            Some(origin) if self.these.contains(origin) => Verdict::Foreign(value.clone()),
            _ => {
                let shown: String = String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect();
                let host = host.unwrap_or("no host");
                Verdict::Refused(Refusal::forbidden(format!(
                    "pages of the origin {shown:?} may not call this server, which was called as {host:?}: \
                     its operator can add the origin to the setting allowed_origins"
                )))
            }
        }
    }
}

fn same_host(origin: &Origin, host: &str) -> bool {
    without_default_port(&origin.scheme, &host.to_ascii_lowercase()) == origin.authority
}

/// Whether a browser only asks whether it may call.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) && headers.contains_key(header::ORIGIN)
}

/// What every page of an allowed origin may send, besides what browsers let all pages send. The last four are what libraries for tracing add
/// to each request of a page: W3C Trace Context, W3C Baggage, and Sentry's own. Nothing here reads them; a proxy or a collector may.
const SENT: &str = "Authorization, Content-Type, X-Request-Id, traceparent, tracestate, baggage, sentry-trace";

/// Our own headers, of this version and of later ones, all begin so.
const OURS: &str = "guild-";

/// Acting as another user is for a host application's servers: its secret must never be in a page.
const NOT_FOR_PAGES: &str = "guild-as";

/// What a page may read of an answer, besides what browsers let all pages read.
const READ: &str = "Allow, Guild-Warnings, Retry-After, X-Request-Id";

/// The answer to a preflight; [`say_allowed`] adds for whom.
pub(crate) fn preflight(asked: &HeaderMap) -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, sent(asked)),
        // Ten minutes: browsers keep it no longer than two hours anyway, and a changed setting should show soon.
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        (header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// [`SENT`], and those of our own headers that the page asks for. They are named one by one, because `*` does not stand for Authorization and
/// would let [`NOT_FOR_PAGES`] pass.
fn sent(asked: &HeaderMap) -> HeaderValue {
    let asked = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|value| value.to_str().ok());
    let names = asked.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let ours = names.filter(|name| name.starts_with(OURS) && name != NOT_FOR_PAGES && HeaderName::try_from(name.as_str()).is_ok());
    let all = ours.fold(SENT.to_owned(), |all, name| format!("{all}, {name}"));
    HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static(SENT))
}

/// Tells the browser that the page may read this answer. Credentials (`Access-Control-Allow-Credentials`) are not allowed: a token is a
/// header that the page itself sends, never a cookie that the browser adds.
pub(crate) fn say_allowed(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
}

/// Every answer depends on the origin, so no cache may give one page's answer to another's.
pub(crate) fn vary(headers: &mut HeaderMap) {
    let named = |value: &HeaderValue| value.to_str().is_ok_and(|v| v.split(',').any(|v| v.trim().eq_ignore_ascii_case("origin")));
    if !headers.get_all(header::VARY).iter().any(named) {
        headers.append(HeaderName::from_static("vary"), HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(allowed: &[&str], origin: &str, host: &str) -> &'static str {
        let allowed = AllowedOrigins::try_from(allowed.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()).unwrap();
        let mut headers = HeaderMap::new();
        if !origin.is_empty() {
            headers.insert("origin", origin.parse().unwrap());
        }
        headers.insert("host", host.parse().unwrap());
        match allowed.judge(&headers, &Uri::from_static("/")) {
            Verdict::Own => "own",
            Verdict::Foreign(value) => {
                assert_eq!(value, origin);
                "foreign"
            }
            Verdict::Refused(refusal) => {
                assert!(refusal.detail.contains("allowed_origins"), "{}", refusal.detail);
                "refused"
            }
        }
    }

    #[test]
    fn the_own_origin_is_the_host_that_was_called() {
        assert_eq!(judge(&[], "", "chat.example"), "own");
        assert_eq!(judge(&[], "https://chat.example", "chat.example"), "own");
        assert_eq!(judge(&[], "https://Chat.Example", "chat.example:443"), "own");
        assert_eq!(judge(&[], "http://127.0.0.1:8080", "127.0.0.1:8080"), "own");
        assert_eq!(judge(&[], "http://[::1]:8080", "[::1]:8080"), "own");
        for other in ["https://evil.example", "https://chat.example.evil", "https://chat.example:8443", "null", "chat.example", "\u{e4}"] {
            assert_eq!(judge(&[], other, "chat.example"), "refused", "{other}");
        }
        assert_eq!(judge(&[], "http://localhost:3000", "localhost:8080"), "refused");
    }

    #[test]
    fn others_must_be_allowed_exactly() {
        assert_eq!(judge(&["https://app.example"], "https://app.example", "chat.example"), "foreign");
        assert_eq!(judge(&["https://app.example:443"], "https://app.example", "chat.example"), "foreign");
        for other in ["http://app.example", "https://app.example:444", "https://app.example.evil", "https://x.app.example", "null"] {
            assert_eq!(judge(&["https://app.example"], other, "chat.example"), "refused", "{other}");
        }
        assert_eq!(judge(&["*"], "https://anything.example", "chat.example"), "foreign");
        assert_eq!(judge(&["*"], "null", "chat.example"), "foreign");
    }

    #[test]
    fn a_wrong_setting_is_explained() {
        for wrong in ["app.example", "https://app.example/", "https://*.app.example", "https://", "", "https://a b"] {
            let error = AllowedOrigins::try_from(vec![wrong.to_owned()]).unwrap_err();
            assert!(error.contains("https://app.example"), "{error}");
        }
    }
}
