//! Tokens that the generator signs itself, as a host application does (`auth.mode = jwt`): users by the thousand without a login.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

/// What the servers that this program starts are given as `auth.jwt.secret`.
pub const SECRET: &str = "a secret for benchmarks only, 0123456789";

/// Signs with HS256.
#[derive(Clone)]
pub struct Tokens {
    key: EncodingKey,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// For a server whose `auth.jwt.secret` this is.
    pub fn new(secret: &str) -> Self {
        Self { key: EncodingKey::from_secret(secret.as_bytes()) }
    }

    /// A token of this user, good for a day. The username is the `sub`.
    pub fn of(&self, username: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // The whole hour: the same user's token is the same text, as it is for a client that reconnects.
        let claims = json!({ "sub": username, "exp": now / 3_600 * 3_600 + 86_400 });
        encode(&Header::default(), &claims, &self.key).unwrap_or_default()
    }
}
