//! An address that may be called, read once and checked.

use super::rules::FetchRules;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An absolute `https:` or `http:` address with a host, without a user or password and without a fragment. Whether `http:` is allowed, and
/// where its host may be, say the rules it is fetched by.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchUrl {
    https: bool,
    host: String,
    port: u16,
    authority: String,
    path: PathAndQuery,
}

impl FetchUrl {
    /// The host's name, or its address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    /// Host and port as they were written, for the header `host`.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query, as a request has them.
    pub(super) fn path(&self) -> Uri {
        Uri::from(self.path.clone())
    }

    /// Whether these rules would have it called. A name's addresses are looked at when it is called, one that stands in the address itself at
    /// once.
    ///
    /// # Errors
    /// Why not, to stand behind the setting's or field's name.
    pub fn fits(&self, rules: &FetchRules) -> Result<(), String> {
        if !self.https && !rules.insecure {
            return Err("only https is allowed".to_owned());
        }
        match self.host.parse::<IpAddr>() {
            Ok(address) if !rules.permits(address) => Err(format!("{address} is no public address")),
            _ => Ok(()),
        }
    }
}

impl FromStr for FetchUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "allowed is an address such as https://host.example/path".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err("a user or a password cannot stand in the address".to_owned());
        }
        // The parser drops it without a word.
        if text.contains('#') {
            return Err("an address that is called has no #fragment".to_owned());
        }
        let host = authority.host();
        // The parser takes any number for a port, and then says that there is none.
        let port = match authority.as_str().strip_prefix(host).ok_or_else(wrong)? {
            "" => Some(if https { 443 } else { 80 }),
            port => port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0),
        };
        let port = port.ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host).to_ascii_lowercase();
        if host.is_empty() {
            return Err(wrong());
        }
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { https, host, port, authority: authority.as_str().to_owned(), path })
    }
}

impl fmt::Display for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.https { "https" } else { "http" }, self.authority, self.path)
    }
}

impl fmt::Debug for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, https, host, port, path) in [
            ("https://Id.Example/keys?v=1", true, "id.example", 443, "/keys?v=1"),
            ("http://127.0.0.1:8000", false, "127.0.0.1", 8000, "/"),
            ("https://[::1]:8443/a", true, "::1", 8443, "/a"),
        ] {
            let url: FetchUrl = text.parse().unwrap();
            assert_eq!((url.https, url.host.as_str(), url.port, url.path.as_str()), (https, host, port, path), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for wrong in [
            "",
            "keys.json",
            "/etc/keys.json",
            "ftp://host/",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://host:0/",
            "https://host:99999/",
            "https://host:/",
            "https://me:hush@host/",
            "https://host/#a",
            "https://a b/",
            "https://ünicode/",
        ] {
            assert!(wrong.parse::<FetchUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules_are_applied_to_what_stands_in_the_address() {
        let fits = |text: &str, rules: &FetchRules| text.parse::<FetchUrl>().unwrap().fits(rules).is_ok();
        let strict = FetchRules::default();
        assert!(fits("https://host.example/", &strict) && fits("https://1.1.1.1/", &strict));
        for text in ["http://host.example/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://10.0.0.1/"] {
            assert!(!fits(text, &strict), "{text}");
        }
        let loose = FetchRules { allow: vec!["127.0.0.0/8".parse().unwrap()], insecure: true };
        assert!(fits("http://127.0.0.1/", &loose) && fits("http://[::ffff:127.0.0.1]/", &loose) && !fits("http://10.0.0.1/", &loose));
    }
}
