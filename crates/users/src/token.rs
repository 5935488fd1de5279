//! Bearer tokens: made of 256 random bits, known to the database only by their SHA-256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::TokenId;
use sha2::{Digest, Sha256};

/// The SHA-256 of a token.
pub(crate) type Hash = [u8; 32];

/// A new token as its owner gets it: 43 characters of base64url.
///
/// # Errors
/// Where the operating system has no random numbers.
pub(crate) fn new() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether this is a host application's token (three parts with dots between them); ours have no dots.
pub(crate) fn is_jwt(text: &str) -> bool {
    text.bytes().filter(|b| *b == b'.').count() == 2
}

/// What the database and the caches know a token by. Of a host application's token it is what was signed: an ECDSA signature can be
/// written in more than one way, and a token that was logged out must not come back in another spelling.
pub(crate) fn hash(text: &str) -> Hash {
    let named = if is_jwt(text) { text.rsplit_once('.').map_or(text, |(signed, _)| signed) } else { text };
    Sha256::digest(named.as_bytes()).into()
}

/// The SHA-256 of the whole text, signature and all: what a cache compares.
pub(crate) fn whole(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// The token's name: the first 16 bytes of its hash.
pub(crate) fn name(hash: &Hash) -> TokenId {
    let mut first = [0; 16];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    TokenId::from_bytes(first)
}

/// What the names of sessions without a token begin with; a token's hash begins so once in 2^64.
const NAMELESS: [u8; 8] = [0; 8];

/// A name for a session that came without a token (`open` mode).
///
/// # Errors
/// Where the operating system has no random numbers.
pub(crate) fn name_of_none() -> Result<TokenId, getrandom::Error> {
    let mut name = [0; 16];
    getrandom::fill(&mut name)?;
    name.iter_mut().zip(NAMELESS).for_each(|(to, from)| *to = from);
    Ok(TokenId::from_bytes(name))
}

/// Whether a session of this name came without a token.
pub(crate) fn is_name_of_none(name: TokenId) -> bool {
    name.bytes().starts_with(&NAMELESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_256_bits_and_never_the_same() {
        let token = new().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(&token).unwrap().len(), 32);
        assert!(!is_jwt(&token));
        assert_ne!(token, new().unwrap());
    }

    #[test]
    fn a_session_without_a_token_has_a_name_of_its_own() {
        let name = name_of_none().unwrap();
        assert!(is_name_of_none(name) && name != name_of_none().unwrap());
        assert!(!is_name_of_none(super::name(&hash("x"))));
    }

    #[test]
    fn a_jwt_is_known_by_what_was_signed() {
        assert_eq!(hash("a.b.c"), hash("a.b.d"));
        assert_ne!(hash("a.b.c"), hash("a.c.c"));
        assert_eq!(name(&hash("x")).bytes(), hash("x")[..16]);
    }
}
