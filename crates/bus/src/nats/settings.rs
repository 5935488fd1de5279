//! How NATS is reached, and who this process is there.

use async_nats::ServerAddr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Everything about the connection. Files are read when it is started.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NatsSettings {
    /// The servers, any of which will do; each may carry `user:password@` or `token@`.
    pub servers: Servers,
    /// What operators see this process as: `guild users, messages`.
    pub name: String,
    /// A file of credentials (a user's JWT and key), as `nsc` makes it.
    pub credentials: Option<PathBuf>,
    /// A user; the password belongs to it.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// A token instead of a user.
    pub token: Option<String>,
    /// A file with the certificates of the authority that signed the servers', as PEM. The system's own where absent.
    pub tls_ca: Option<PathBuf>,
    /// This process's own certificate, as PEM, for servers that ask for one.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    pub tls_key: Option<PathBuf>,
}

/// Addresses of servers, separated by commas: `nats://host:4222` or, over TLS, `tls://host:4222`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Servers(pub(super) Vec<ServerAddr>);

impl FromStr for Servers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |text: &str| {
            // An address may hold a password, so no error repeats it.
            let wrong = |why: &str| format!("{why}; allowed is nats://host:4222 or tls://host:4222, several separated by commas");
            if !text.starts_with("nats://") && !text.starts_with("tls://") {
                return Err(wrong("an address of a NATS server begins with nats:// or tls://"));
            }
            let address: ServerAddr = text.parse().map_err(|_| wrong("this is no address of a NATS server"))?;
            if address.host().is_empty() { Err(wrong("the host is missing")) } else { Ok(address) }
        };
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl fmt::Display for Servers {
    /// Without users and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |server: &ServerAddr| format!("{}://{}:{}", server.scheme(), server.host(), server.port());
        write!(f, "{}", self.0.iter().map(shown).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for NatsSettings {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSettings").field("servers", &self.servers).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why the bus cannot even try to connect: one line for an operator, which begins with the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotConnect(pub String);

impl fmt::Display for CannotConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotConnect {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_secrets() {
        let servers: Servers = "nats://me:hush@one:4222, tls://two".parse().unwrap();
        assert_eq!(servers.to_string(), "nats://one:4222,tls://two:4222");
        for wrong in ["one:4222", "http://one", "nats://", "nats://:hush@", "nats://one,two"] {
            let error = wrong.parse::<Servers>().unwrap_err();
            assert!(error.contains("nats://host:4222") && !error.contains("hush"), "{wrong}: {error}");
        }
    }
}
