//! Where the server is and how to reach it, out of `database.url`: what libpq's form of an address says, and what this program adds.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::{Tls, Trust};
use crate::access::Access;

/// How long a connection may take to come up.
pub(super) const CONNECTING: Duration = Duration::from_secs(5);

/// Sent bytes that the other side has not acknowledged for so long end a connection: a lost network.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// After so long without a word the kernel asks the other side whether it is there.
const QUIET: Duration = Duration::from_secs(15);

/// What a connection is made with.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

impl Address {
    /// Reads an address; what it says wrong is one line for an operator.
    pub(super) fn read(url: &str, access: Access) -> Result<Address, String> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(decoded(value)?),
                "sslcert" | "sslkey" | "sslpassword" => {
                    return Err(format!("{name} in database.url: client certificates are not supported, log in by password"));
                }
                "channel_binding" if value == "require" => {
                    return Err("channel_binding=require in database.url is not supported: write sslmode=verify-full".to_owned());
                }
                _ => rest.push(option),
            }
        }
        let rest = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| super::session::describe(&error))?;
        let (mode, trust) = security(mode, roots, &config)?;
        config.ssl_mode(mode).keepalives(true).keepalives_idle(QUIET).keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECTING);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED);
        }
        if config.get_application_name().is_none() {
            config.application_name("guild");
        }
        // Of several hosts the one that can be written to: after a failover that is another one.
        if access != Access::ReadOnly && config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Address { config, tls: Tls::new(trust)? })
    }
}

fn security(mode: Option<&str>, roots: Option<String>, config: &Config) -> Result<(SslMode, Trust), String> {
    let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    match (mode, roots) {
        (Some("verify-full"), None) => Ok((SslMode::Require, Trust::System)),
        (Some("verify-full"), Some(file)) if file == "system" => Ok((SslMode::Require, Trust::System)),
        (Some("verify-full"), Some(file)) => Ok((SslMode::Require, Trust::File(file.into()))),
        (Some("verify-ca"), _) => {
            Err("sslmode=verify-ca is not supported: write sslmode=verify-full, which checks the host's name too".into())
        }
        (_, Some(_)) => Err("sslrootcert in database.url has no effect without sslmode=verify-full: write both".into()),
        (Some("disable"), None) => Ok((SslMode::Disable, Trust::Anybody)),
        (Some("require"), None) => Ok((SslMode::Require, Trust::Anybody)),
        // A socket in the file system needs no encryption, and the server offers none.
        (None | Some("prefer"), None) if local => Ok((SslMode::Disable, Trust::Anybody)),
        (None | Some("prefer"), None) => Ok((SslMode::Prefer, Trust::Anybody)),
        (Some(other), None) => Err(format!("sslmode={other} in database.url: write disable, prefer, require or verify-full")),
    }
}

/// Undoes the percent signs of an address.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || format!("{text} in database.url: a percent sign is followed by two hexadecimal digits");
    // The library lets a sign stand that no digits follow, and would hide a mistake in a password.
    let escaped = |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if !text.split('%').skip(1).all(escaped) {
        return Err(wrong());
    }
    percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Address, String> {
        Address::read(url, Access::Server)
    }

    #[test]
    fn what_is_said_about_encryption_is_understood_or_refused() {
        let mode = |url: &str| read(url).map(|address| address.config.get_ssl_mode());
        assert_eq!(mode("postgres://a@b/c"), Ok(SslMode::Prefer));
        assert_eq!(mode("postgres://a@%2Ftmp/c"), Ok(SslMode::Disable));
        assert_eq!(mode("postgres://a@b/c?sslmode=disable"), Ok(SslMode::Disable));
        assert_eq!(mode("postgres://a@b/c?application_name=x&sslmode=require"), Ok(SslMode::Require));
        for (url, said) in [
            ("postgres://a@b/c?sslmode=verify-ca", "write sslmode=verify-full"),
            ("postgres://a@b/c?sslmode=require&sslrootcert=/x", "without sslmode=verify-full"),
            ("postgres://a@b/c?sslmode=allow", "write disable, prefer, require or verify-full"),
            ("postgres://a@b/c?sslcert=/x", "client certificates"),
            ("postgres://a@b/c?channel_binding=require", "not supported"),
            ("postgres://a@b/c?sslmode=verify-full&sslrootcert=%2Fno%2Fsuch.pem", "/no/such.pem"),
            ("postgres://a@b/c?sslmode=verify-full&sslrootcert=%2", "two hexadecimal digits"),
            ("postgres://a@b/c?nonsense=1", "nonsense"),
        ] {
            let error = read(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(error.contains(said), "{url}: {error}");
        }
    }

    #[test]
    fn time_bounds_are_added_where_none_are_said() {
        let config = read("postgres://a@b/c").unwrap().config;
        assert_eq!((config.get_connect_timeout(), config.get_application_name()), (Some(&CONNECTING), Some("guild")));
        let config = read("postgres://a@b/c?connect_timeout=1&application_name=mine").unwrap().config;
        assert_eq!((config.get_connect_timeout(), config.get_application_name()), (Some(&Duration::from_secs(1)), Some("mine")));
    }
}
