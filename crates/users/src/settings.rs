//! What an operator may set about accounts. Every value has been read already; what must go together is checked in [`crate::Users::new`].

use edge::fetch::{FetchRules, FetchUrl};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of the users service; `Default` is what the documentation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `auth.mode`: how users prove who they are.
    pub mode: Mode,
    /// `auth.registration`: whether a login creates the user who does not exist yet. Users of a host application (`jwt`) appear always.
    pub registration: Registration,
    /// `auth.token_days`: how long a token is valid that a login gave; 1-3650 days.
    pub token_days: u32,
    /// `auth.jwt.…`: what tokens of a host application are checked against.
    pub jwt: JwtSettings,
    /// How passwords are hashed. Not for operators, but for tests.
    pub hashing: HashingSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            registration: Registration::default(),
            token_days: 30,
            jwt: JwtSettings::default(),
            hashing: HashingSettings::default(),
        }
    }
}

/// `auth.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// A username and a password.
    #[default]
    #[serde(rename = "password")]
    Password,
    /// A username is enough. For demos and tests.
    #[serde(rename = "open")]
    Open,
    /// Tokens that a host application signs; no logins here.
    #[serde(rename = "jwt")]
    Jwt,
    /// Logins by password, and tokens of a host application.
    #[serde(rename = "password,jwt")]
    PasswordAndJwt,
}

impl Mode {
    /// As it stands in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Open => "open",
            Self::Jwt => "jwt",
            Self::PasswordAndJwt => "password,jwt",
        }
    }

    /// Whether tokens of a host application are taken.
    pub fn takes_jwt(self) -> bool {
        matches!(self, Self::Jwt | Self::PasswordAndJwt)
    }

    /// Whether usernames and passwords are taken.
    pub fn takes_passwords(self) -> bool {
        matches!(self, Self::Password | Self::PasswordAndJwt)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        match plain.as_str() {
            "password" => Ok(Self::Password),
            "open" => Ok(Self::Open),
            "jwt" => Ok(Self::Jwt),
            "password,jwt" | "jwt,password" => Ok(Self::PasswordAndJwt),
            _ => Err(format!("{text:?} is not a mode: password, open, jwt, or \"password,jwt\"")),
        }
    }
}

/// `auth.registration`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// A login creates the user who does not exist yet.
    #[default]
    Open,
    /// Only `guild user add` creates users.
    Closed,
}

impl FromStr for Registration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            _ => Err(format!("{text:?} is neither open nor closed")),
        }
    }
}

/// `auth.jwt.…`. At least one of the four places of keys is needed in the modes that take such tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// The shared secret of HS256; RFC 7518 wants at least 32 bytes of it, and a shorter one is warned about.
    pub secret: Option<String>,
    /// A PEM file with a public key: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA.
    pub public_key: Option<PathBuf>,
    /// A JWKS file (RFC 7517) with public keys of these kinds, told apart by `kid`.
    pub jwks: Option<PathBuf>,
    /// Where such a JWKS is fetched.
    pub jwks_url: Option<FetchUrl>,
    /// Whom that fetch may call: `auth.jwt.jwks_allow` and `auth.jwt.jwks_insecure`.
    pub jwks_rules: FetchRules,
    /// What `aud` must contain, where set.
    pub audience: Option<String>,
    /// What `iss` must be, where set.
    pub issuer: Option<String>,
    /// How far `nbf` and `iat` may lie in the future, because the issuer's clock is ahead of ours.
    pub leeway_seconds: u32,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self {
            secret: None,
            public_key: None,
            jwks: None,
            jwks_url: None,
            jwks_rules: FetchRules::default(),
            audience: None,
            issuer: None,
            leeway_seconds: 60,
        }
    }
}

impl JwtSettings {
    /// Whether these keys can be used, so that a program can say so before it opens anything. [`crate::Users::new`] checks it again.
    ///
    /// # Errors
    /// A file that cannot be read or holds no usable key, or no key at all: a line that names the setting.
    pub fn check(&self) -> Result<(), CannotStart> {
        crate::jwt::Jwt::new(self).map(drop)
    }
}

impl fmt::Debug for JwtSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSettings")
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field("public_key", &self.public_key)
            .field("jwks", &self.jwks)
            .field("jwks_url", &self.jwks_url)
            .field("jwks_rules", &self.jwks_rules)
            .field("audience", &self.audience)
            .field("issuer", &self.issuer)
            .field("leeway_seconds", &self.leeway_seconds)
            .finish()
    }
}

/// How passwords are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingSettings {
    /// How many threads hash; 0 stands for half of the cores, at least one.
    pub threads: usize,
    /// How many passwords may wait for them; one more is refused with `busy`.
    pub queue: usize,
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Default for HashingSettings {
    /// Argon2id with 19 MiB, two passes and one lane: the second of the equal recommendations of OWASP's Password Storage Cheat Sheet
    /// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>, as of 2026).
    fn default() -> Self {
        Self { threads: 0, queue: 64, memory_kib: 19_456, passes: 2 }
    }
}

/// Why the service cannot start with these settings or this database: one line for an operator, that names the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotStart(pub String);

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotStart {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_the_names_of_the_documentation() {
        for mode in [Mode::Password, Mode::Open, Mode::Jwt, Mode::PasswordAndJwt] {
            assert_eq!(mode.as_str().parse::<Mode>().unwrap(), mode);
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
        assert!("oauth".parse::<Mode>().unwrap_err().contains("password,jwt"));
    }

    #[test]
    fn a_secret_does_not_show() {
        let jwt = JwtSettings { secret: Some("hunter2".into()), ..JwtSettings::default() };
        assert!(!format!("{jwt:?}").contains("hunter2"));
    }
}
