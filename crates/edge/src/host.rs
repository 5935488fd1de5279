//! The Host that a request names (RFC 9112, section 3.2): one, and one that can be read. A request with none, or with two, is how a proxy
//! and a server are made to see different requests, so such a one is refused and its connection is closed.

use contract::{Code, Refusal};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version, header};
use std::net::Ipv6Addr;

/// Looks whether there is a Host as it should be. From here on it stands in the headers: where the request's target is an absolute one, it
/// names the host, and what the header said is ignored.
///
/// # Errors
/// `invalid_request`: none (only HTTP/1.0 may do without), several, or one that is no host.
pub(crate) fn take(parts: &mut Parts) -> Result<(), Refusal> {
    let refused = |why: &str| Refusal::new(Code::InvalidRequest, format!("{why} (RFC 9112, section 3.2)"));
    match hosts(&parts.headers) {
        (None, _) if parts.version > Version::HTTP_10 => return Err(refused("the request has no Host header")),
        (_, true) => return Err(refused("the request has more than one Host header")),
        (Some(host), _) if !is_host(host.as_bytes()) => {
            return Err(refused("the Host header is not a host, or a host and a port, like chat.example or chat.example:8080"));
        }
        (None | Some(_), false) => {}
    }
    if let Some(authority) = parts.uri.authority() {
        // Without a user and a password, which have been deprecated there for long.
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let host = HeaderValue::from_str(host).ok().filter(|host| is_host(host.as_bytes()));
        let host = host.ok_or_else(|| refused("the request's target names no host"))?;
        parts.headers.insert(header::HOST, host);
    }
    Ok(())
}

/// The first Host, and whether there are others.
fn hosts(headers: &HeaderMap) -> (Option<&HeaderValue>, bool) {
    let mut hosts = headers.get_all(header::HOST).iter();
    (hosts.next(), hosts.next().is_some())
}

/// `uri-host [ ":" port ]` of RFC 9110, section 7.2, by the grammar of RFC 3986. A host may be empty: the target may have none.
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let after_brackets = match text.strip_prefix('[').map(|inside| inside.split_once(']')) {
        Some(Some((inside, rest))) if is_ip_literal(inside) => rest,
        Some(_) => return false,
        None => {
            let (name, port) = text.split_once(':').unwrap_or((text, ""));
            return is_name(name) && is_port(port);
        }
    };
    after_brackets.is_empty() || after_brackets.strip_prefix(':').is_some_and(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An IPv6 address, or what may follow it one day (`v1.something`).
fn is_ip_literal(text: &str) -> bool {
    let future = |text: &str| {
        let Some((version, rest)) = text.split_once('.') else { return false };
        let hex = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex && !rest.is_empty() && rest.bytes().all(|byte| is_plain(byte) || byte == b':')
    };
    text.parse::<Ipv6Addr>().is_ok() || text.strip_prefix(['v', 'V']).is_some_and(future)
}

/// A registered name or an IPv4 address.
fn is_name(text: &str) -> bool {
    let mut escapes = text.split('%');
    let plain = |part: &str| part.bytes().all(is_plain);
    let escaped = |part: &str| part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    escapes.next().is_some_and(plain) && escapes.all(|part| escaped(part) && plain(part))
}

/// Unreserved characters and sub-delimiters.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(version: Version, target: &str, hosts: &[&str]) -> Result<Option<String>, String> {
        let mut request = http::Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        take(&mut parts).map_err(|refusal| refusal.detail)?;
        Ok(parts.headers.get("host").map(|host| host.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(taken(Version::HTTP_11, "/", &["chat.example"]), Ok(Some("chat.example".into())));
        assert!(taken(Version::HTTP_11, "/", &[]).unwrap_err().contains("no Host"));
        assert_eq!(taken(Version::HTTP_10, "/", &[]), Ok(None), "HTTP/1.0 knew none");
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert!(taken(version, "/", &["a", "a"]).unwrap_err().contains("more than one"));
            assert!(taken(version, "/", &["a b"]).unwrap_err().contains("not a host"));
        }
    }

    #[test]
    fn an_absolute_target_names_the_host_itself() {
        assert_eq!(taken(Version::HTTP_11, "http://chat.example:8080/x", &["other.example"]), Ok(Some("chat.example:8080".into())));
        assert_eq!(taken(Version::HTTP_11, "http://me@chat.example/x", &["chat.example"]), Ok(Some("chat.example".into())));
        assert!(taken(Version::HTTP_11, "http://chat.example/x", &[]).is_err(), "a Host header is wanted all the same");
        assert!(taken(Version::HTTP_11, "http://chat.example/x", &["a b"]).is_err());
    }

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for right in [
            "",
            "a",
            "chat.example",
            "chat.example:",
            "chat.example:8080",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8080",
            "[::ffff:1.2.3.4]",
            "[v1.a:b]",
            "under_score",
            "xn--bcher-kva.example",
            "%41.example",
            "a,b",
        ] {
            assert!(is_host(right.as_bytes()), "{right}");
        }
        for wrong in [
            "a b",
            "a/b",
            "a@b",
            "a?b",
            "a#b",
            "http://a",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[]",
            "[fe80::1%eth0]",
            "[v1]",
            "%4",
            "%zz",
            "a%",
            "b\u{fc}cher",
            "a\tb",
            "<a>",
            "a\\b",
            "\"a\"",
        ] {
            assert!(!is_host(wrong.as_bytes()), "{wrong}");
        }
        assert!(!is_host(b"\xff"));
    }
}
