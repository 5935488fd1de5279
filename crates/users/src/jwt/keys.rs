//! The keys that a host application signs with. Each has one algorithm, fixed by what it is and never by what a token claims: so a public
//! key is never taken for a secret, and `none` is nobody's algorithm.

use crate::settings::JwtSettings;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

/// What RFC 7518 (section 3.2) wants of an HS256 secret, in bytes.
const SECRET_BYTES: usize = 32;

/// One key and its algorithm.
#[derive(Clone)]
pub(super) struct Key {
    kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// Whether a token with this algorithm and `kid` may be signed with it. Who names no key, or has none with a name, is tried.
    pub(super) fn fits(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        self.algorithm == algorithm && (kid.is_none() || self.kid.is_none() || self.kid.as_deref() == kid)
    }

    /// Whether it has a `kid`.
    pub(super) fn is_named(&self) -> bool {
        self.kid.is_some()
    }
}

/// `auth.jwt.secret`, where it is set.
pub(super) fn secret(settings: &JwtSettings) -> Vec<Key> {
    let Some(secret) = settings.secret.as_ref().filter(|secret| !secret.is_empty()) else { return Vec::new() };
    if secret.len() < SECRET_BYTES {
        tracing::warn!(bytes = secret.len(), "auth.jwt.secret is shorter than the 32 bytes that HS256 needs to be safe: take a longer one");
    }
    vec![Key { kid: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret.as_bytes()) }]
}

/// The public key in a PEM file.
pub(super) fn pem(text: &str) -> Result<Key, String> {
    if text.contains("PRIVATE KEY") {
        return Err("it holds a private key; this server needs only the public one (openssl pkey -pubout) and should have no other".into());
    }
    let bytes = text.as_bytes();
    let kinds = [
        (Algorithm::RS256, DecodingKey::from_rsa_pem(bytes)),
        (Algorithm::ES256, DecodingKey::from_ec_pem(bytes)),
        (Algorithm::EdDSA, DecodingKey::from_ed_pem(bytes)),
    ];
    let found = kinds.into_iter().find_map(|(algorithm, key)| key.ok().map(|key| Key { kid: None, algorithm, key }));
    found.filter(usable).ok_or_else(|| "it holds no public key in PEM of a kind that is taken: RSA, EC P-256 or Ed25519".into())
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// The public keys of a JWKS (RFC 7517), which came from this setting.
pub(super) fn jwks(text: &str, setting: &str) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_str(text).map_err(|error| format!("it is no JWKS: {error}"))?;
    let all = set.keys.len();
    // Sets of identity providers hold keys for other uses too; those are none of ours.
    let keys: Vec<Key> = set.keys.into_iter().filter_map(|jwk| self::jwk(&serde_json::from_value(jwk).ok()?)).filter(usable).collect();
    if keys.is_empty() {
        return Err(format!("none of its {all} keys is a public signature key of a kind that is taken: RSA, EC P-256 or Ed25519"));
    }
    if keys.len() < all {
        tracing::info!(used = keys.len(), ignored = all - keys.len(), "some keys of {setting} are of no use here");
    }
    Ok(keys)
}

fn jwk(jwk: &Jwk) -> Option<Key> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let named = jwk.common.key_algorithm.map(|named| named.to_string());
    // "Ed25519" is what RFC 9864 calls EdDSA with this curve.
    let meant = named.is_none_or(|named| named == format!("{algorithm:?}") || (named == "Ed25519" && algorithm == Algorithm::EdDSA));
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (meant && signs).then(|| Key { kid: jwk.common.key_id.clone(), algorithm, key })
}

/// Tries the key on a token that nobody signed: a key that cannot be used says so, a good one finds the signature wrong.
fn usable(key: &Key) -> bool {
    use base64::Engine;
    let header = serde_json::json!({"alg": key.algorithm, "typ": "JWT"}).to_string();
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let token = format!("{}.{}.{}", base64(header.as_bytes()), base64(b"{}"), base64(&[0; 64]));
    let tried = decode::<serde_json::Value>(token, &key.key, &Validation::new(key.algorithm));
    tried.is_err_and(|error| matches!(error.kind(), ErrorKind::InvalidSignature))
}
