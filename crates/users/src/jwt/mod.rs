//! Tokens that a host application signs (RFC 7519): whether one is good, and whom it speaks of.

mod keys;
#[cfg(test)]
mod tests;

use crate::settings::{CannotStart, JwtSettings};
use contract::{Code, Refusal, Time, Username};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use keys::Key;
use serde::Deserialize;

/// Longest `iss` and `sub` together, in bytes: they are a key in the database.
const ORIGIN_BYTES: usize = 1_024;

/// What tokens are checked against.
pub(crate) struct Jwt {
    /// Each with what its tokens are checked for.
    keys: Vec<(Key, Validation)>,
}

/// Whom a good token speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// `[iss, sub]` as JSON, exactly as written: the user.
    pub(crate) origin: String,
    /// The claim `username`, else `sub`.
    pub(crate) username: Username,
    /// `exp`.
    pub(crate) expires_at: Time,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    iss: Option<String>,
    username: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
}

impl Jwt {
    /// Reads the keys.
    ///
    /// # Errors
    /// A file that cannot be read or holds no usable key, or no key at all, as a line that names the setting.
    pub(crate) fn new(settings: &JwtSettings) -> Result<Self, CannotStart> {
        let audience = settings.audience.as_ref().filter(|text| !text.is_empty());
        let issuer = settings.issuer.as_ref().filter(|text| !text.is_empty());
        let with_checks = |key: Key| {
            let validation = validation(key.algorithm, audience, issuer);
            (key, validation)
        };
        Ok(Self { keys: keys::read(settings)?.into_iter().map(with_checks).collect() })
    }

    /// Whom this token speaks of. `exp` and `nbf` are compared with `now` to the millisecond, without leeway.
    ///
    /// # Errors
    /// `unauthenticated`, with the reason: the host application's developers are the ones who read it.
    pub(crate) fn bearer(&self, token: &str, now: Time) -> Result<Bearer, Refusal> {
        let claims = self.claims(token)?;
        let expires_at = in_ms(claims.exp.ok_or_else(|| refused("it has no exp"))?);
        if expires_at <= now {
            return Err(refused("it has expired"));
        }
        if claims.nbf.is_some_and(|nbf| in_ms(nbf) > now) {
            return Err(refused("it is not valid yet (nbf)"));
        }
        let sub = claims.sub.filter(|sub| !sub.is_empty()).ok_or_else(|| refused("it has no sub, or an empty one"))?;
        if sub.len() + claims.iss.as_ref().map_or(0, String::len) > ORIGIN_BYTES {
            return Err(refused("its sub and iss are too long"));
        }
        let username = match claims.username {
            Some(username) => Username::try_from(username).map_err(|e| refused(&format!("its claim username is no username: {e}"))),
            None => Username::try_from(sub.as_str()).map_err(|_| refused("it has no claim username, and its sub is not a valid username")),
        }?;
        Ok(Bearer { origin: serde_json::json!([claims.iss, sub]).to_string(), username, expires_at })
    }

    fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        let header = decode_header(token).map_err(|_| refused("its header cannot be read, or names an algorithm that is not taken"))?;
        if header.crit.is_some() {
            return Err(refused("its header has extensions (crit) that this server does not know"));
        }
        let mut why = "no key of this server has its algorithm and kid";
        for (key, validation) in self.keys.iter().filter(|(key, _)| key.fits(header.alg, header.kid.as_deref())) {
            match decode::<Claims>(token, &key.key, validation) {
                Ok(data) => return Ok(data.claims),
                // With several keys, another one may be the right one.
                Err(error) => why = reason(error.kind()),
            }
        }
        Err(refused(why))
    }
}

/// What a token's claims are checked for with a key of this algorithm. Made once for each key.
fn validation(algorithm: Algorithm, audience: Option<&String>, issuer: Option<&String>) -> Validation {
    let mut validation = Validation::new(algorithm);
    // Times are checked by the clock that we are given.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let mut needed = Vec::new();
    match audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            needed.push("aud");
        }
        None => validation.validate_aud = false,
    }
    if let Some(issuer) = issuer {
        validation.set_issuer(&[issuer]);
        needed.push("iss");
    }
    validation.set_required_spec_claims::<&str>(&needed);
    validation
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAudience => "its aud is not this server's",
        ErrorKind::InvalidIssuer => "its iss is not the expected one",
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => "it has no aud",
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => "it has no iss",
        ErrorKind::Json(_) => "a claim is missing or of the wrong type (exp: number; sub, iss, username: text)",
        _ => "it is malformed",
    }
}

fn refused(why: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, format!("this token is not valid: {why}"))
}

/// Seconds as milliseconds; what cannot be a time is the nearest that can.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
fn in_ms(seconds: f64) -> Time {
    const LAST: f64 = 253_402_300_799_000.0;
    Time((seconds * 1_000.0).clamp(0.0, LAST) as i64)
}
