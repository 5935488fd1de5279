//! What a token's claims are checked for, beside its signature.

use crate::settings::JwtSettings;
use contract::{Code, Refusal, Time};
use jsonwebtoken::{Algorithm, Validation};
use std::time::Duration;

/// From here on a number is no second of any time that a token is about (the year 5138), and is one in milliseconds (March 1973).
const MILLISECONDS: f64 = 1e11;

/// What the settings ask of every token.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    audience: Option<String>,
    issuer: Option<String>,
    leeway: Duration,
}

/// When a token counts, in seconds since 1970, as it says itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) exp: Option<f64>,
    pub(super) nbf: Option<f64>,
    pub(super) iat: Option<f64>,
}

impl Checks {
    pub(super) fn new(settings: &JwtSettings) -> Self {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let leeway = Duration::from_secs(settings.leeway_seconds.into());
        Self { audience: set(&settings.audience), issuer: set(&settings.issuer), leeway }
    }

    /// What a token that is signed with this algorithm is checked for. Made once for each key.
    pub(super) fn of(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        // Times are checked by the clock that we are given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut needed = Vec::new();
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                needed.push("aud");
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            needed.push("iss");
        }
        validation.set_required_spec_claims::<&str>(&needed);
        validation
    }

    /// When a token expires that counts now. `exp` is exact, because a socket is cut then and would come back in vain; `nbf` and `iat` have a
    /// leeway, because a token that was just made may come from a clock that is ahead of ours.
    ///
    /// # Errors
    /// `unauthenticated`: it does not count, or its times cannot be meant.
    pub(super) fn expiry(&self, times: Times, now: Time) -> Result<Time, Refusal> {
        for (name, time) in [("exp", times.exp), ("nbf", times.nbf), ("iat", times.iat)] {
            if time.is_some_and(|time| time >= MILLISECONDS) {
                return Err(refused(&format!("its {name} is in milliseconds, and JWT counts seconds (RFC 7519, section 2)")));
            }
        }
        let expires_at = in_ms(times.exp.ok_or_else(|| refused("it has no exp"))?);
        if expires_at <= now {
            return Err(refused("it has expired"));
        }
        let soon = now.plus(self.leeway);
        if times.nbf.is_some_and(|nbf| in_ms(nbf) > soon) {
            return Err(refused("it is not valid yet (nbf)"));
        }
        if times.iat.is_some_and(|iat| in_ms(iat) > soon) {
            return Err(refused("it was issued in the future (iat): is the issuer's clock right, and this server's?"));
        }
        Ok(expires_at)
    }
}

/// Seconds as milliseconds; what cannot be a time is the nearest that can.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
fn in_ms(seconds: f64) -> Time {
    Time((seconds.clamp(0.0, MILLISECONDS) * 1_000.0) as i64)
}

/// The refusal of a token, with the reason.
pub(super) fn refused(why: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, format!("this token is not valid: {why}"))
}
