//! The WebSocket handshake (RFC 6455, sections 4.2.1, 4.2.2 and 4.4): a request's headers go in, the answer's headers or a refusal come out.
//!
//! It does no I/O and knows nothing of chat, Socket.IO or GraphQL: whoever answers the request writes the response and takes the connection.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The version of the protocol, the only one there is.
const VERSION: &str = "13";

/// Why a request opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// `Upgrade` does not name `websocket`, or `Connection` does not name `upgrade`.
    NoUpgrade,
    /// The client speaks another version of the protocol. Answer 426 with [`other_version`].
    OtherVersion,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes, or does not come once.
    BadKey,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandshakeError::NoUpgrade => "the headers ask for no upgrade to WebSocket",
            HandshakeError::OtherVersion => "the WebSocket version is not 13",
            HandshakeError::BadKey => "the WebSocket key is not the base64 of 16 bytes",
        })
    }
}

impl std::error::Error for HandshakeError {}

/// Whether these headers ask for a WebSocket.
pub fn is_asked_for(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

/// Whether a header that holds a list of tokens, separated by commas, holds this one.
pub fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Checks a handshake, and gives the headers of the answer, which has the status 101.
///
/// # Errors
/// What is wrong with the request.
pub fn accept(headers: &HeaderMap) -> Result<[(HeaderName, HeaderValue); 3], HandshakeError> {
    if !is_asked_for(headers) || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(HandshakeError::NoUpgrade);
    }
    if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(HandshakeError::OtherVersion);
    }
    let key = only(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_16_bytes(key)).ok_or(HandshakeError::BadKey)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| HandshakeError::BadKey)?;
    Ok([
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ])
}

/// The headers of the answer to a client of another version, which has the status 426 (also RFC 9110, section 15.5.22).
pub fn other_version() -> [(HeaderName, HeaderValue); 3] {
    [
        (header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
    ]
}

/// The value of a header that comes once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.trim())
}

/// Whether this is the base64 of 16 bytes: 22 characters of data and 2 of padding. The bits of the last of the 22 that lie past the 16th
/// byte do not matter, as with any decoder that is not strict.
fn is_16_bytes(key: &str) -> bool {
    key.len() == 24 && key.strip_suffix("==").is_some_and(|data| data.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn headers(versions: &[&'static str], keys: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        for version in versions {
            headers.append(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(version));
        }
        for key in keys {
            headers.append(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static(key));
        }
        headers
    }

    #[test]
    fn a_handshake_is_answered() {
        let answer = accept(&headers(&["13"], &[KEY])).unwrap();
        let answer = HeaderMap::from_iter(answer);
        assert_eq!(answer[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!((&answer[header::UPGRADE], &answer[header::CONNECTION]), (&"websocket".parse().unwrap(), &"Upgrade".parse().unwrap()));
    }

    #[test]
    fn both_headers_ask_for_the_upgrade() {
        for name in [header::UPGRADE, header::CONNECTION] {
            let mut headers = headers(&["13"], &[KEY]);
            headers.insert(name.clone(), HeaderValue::from_static("h2c, close"));
            assert_eq!(accept(&headers), Err(HandshakeError::NoUpgrade), "{name}");
            headers.remove(&name);
            assert_eq!(accept(&headers), Err(HandshakeError::NoUpgrade), "{name}");
        }
    }

    #[test]
    fn only_version_13_is_spoken() {
        for wrong in [&[][..], &["8"], &["8, 13"], &["13", "8"], &[""]] {
            assert_eq!(accept(&headers(wrong, &[KEY])), Err(HandshakeError::OtherVersion), "{wrong:?}");
        }
        let answer = HeaderMap::from_iter(other_version());
        assert_eq!(answer[header::SEC_WEBSOCKET_VERSION], "13");
        assert_eq!(answer[header::UPGRADE], "websocket");
    }

    #[test]
    fn a_key_is_16_bytes() {
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
            assert_eq!(accept(&headers(&["13"], &[wrong])), Err(HandshakeError::BadKey), "{wrong}");
        }
        assert_eq!(accept(&headers(&["13"], &[KEY, KEY])), Err(HandshakeError::BadKey));
    }
}
