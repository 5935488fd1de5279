//! What a WebSocket handshake has to say (RFC 6455, sections 4.2.1 and 4.4).

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The version of the protocol, the only one there is.
const VERSION: &str = "13";

/// Whether the client speaks the version that is spoken here.
pub(super) fn is_of_our_version(headers: &HeaderMap) -> bool {
    only(headers, header::SEC_WEBSOCKET_VERSION) == Some(VERSION)
}

/// The answer to the client's key; `None` if that is not the base64 of 16 bytes.
pub(super) fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let key = only(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_16_bytes(key))?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// What a client of another version is answered: the version that is spoken here (also RFC 9110, section 15.5.22).
pub(super) fn other_version() -> Response {
    let headers = [(header::SEC_WEBSOCKET_VERSION, VERSION), (header::UPGRADE, "websocket"), (header::CONNECTION, "Upgrade")];
    (StatusCode::UPGRADE_REQUIRED, headers).into_response()
}

/// The value of a header that comes once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.trim())
}

/// Whether this is the base64 of 16 bytes: 22 characters that say something, and 2 that fill up. What the last of the 22 says past the
/// 16th byte does not matter, as with any decoder that is not strict.
fn is_16_bytes(key: &str) -> bool {
    key.len() == 24 && key.strip_suffix("==").is_some_and(|said| said.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_version_13_is_spoken() {
        let spoken = |values: &[&'static str]| is_of_our_version(&headers(header::SEC_WEBSOCKET_VERSION, values));
        assert!(spoken(&["13"]));
        for wrong in [&[][..], &["8"], &["8, 13"], &["13", "8"], &[""]] {
            assert!(!spoken(wrong), "{wrong:?}");
        }
        let answer = other_version();
        assert_eq!(answer.status(), 426);
        assert_eq!(answer.headers()[header::SEC_WEBSOCKET_VERSION], "13");
        assert_eq!(answer.headers()[header::UPGRADE], "websocket");
    }

    #[test]
    fn a_key_is_16_bytes() {
        let accepted = |values: &[&'static str]| accept(&headers(header::SEC_WEBSOCKET_KEY, values));
        // The example of RFC 6455, section 1.3.
        assert_eq!(accepted(&["dGhlIHNhbXBsZSBub25jZQ=="]).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let wrong = [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZTE=",
            "dGhlIHNhbXBsZSBub24=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "YQ==",
            "dGhlIHNhbXBsZSBub25jZSEhIQ==",
            "dGhlIHNhbXBsZSBub25j_Q==",
            "hello",
        ];
        for wrong in wrong {
            assert_eq!(accepted(&[wrong]), None, "{wrong}");
        }
        assert_eq!(accepted(&["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="]), None);
    }
}
