//! How users prove who they are.

use std::net::SocketAddr;
use std::path::PathBuf;

use edge::Network;
use edge::fetch::{FetchRules, FetchUrl};
use users::{JwtSettings, Mode, Registration};

use super::reader::Reader;

/// Authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// What a login or a token has to show.
    pub mode: Mode,
    /// Whether a login may create the user who does not exist yet.
    pub registration: Registration,
    /// How long a login lasts, in days.
    pub token_days: u32,
    /// How signed tokens are checked.
    pub jwt: JwtSettings,
}

impl Auth {
    pub(super) fn read(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> Option<Self> {
        let mode = reader
            .parsed("auth.mode", |text| text.parse::<Mode>().map_err(|_| "allowed is password, open, jwt or password,jwt".to_owned()));
        let registration =
            reader.parsed("auth.registration", |text| text.parse::<Registration>().map_err(|_| "allowed is open or closed".to_owned()));
        let to_network = reader.flag("auth.open_to_network");
        let token_days = reader.number("auth.token_days", 1..=3_650);
        let jwt = jwt(reader, mode.is_some_and(Mode::takes_jwt));
        if let (Some(Mode::Open), Some(listen), Some(false)) = (mode, listen, to_network)
            && !listen.ip().to_canonical().is_loopback()
        {
            let why = format!(
                "in mode open anybody can be anybody, so it listens on this machine only, and listen is {listen}; \
                 listen on 127.0.0.1, or set auth.open_to_network = true if that is what you want"
            );
            return reader.refuse("auth.mode", why);
        }
        Some(Self { mode: mode?, registration: registration?, token_days: token_days?, jwt: jwt? })
    }
}

/// What signatures are checked with. Where no mode needs it, keys may be set, and are not looked at.
fn jwt(reader: &mut Reader<'_>, needed: bool) -> Option<JwtSettings> {
    let secret = reader.optional("auth.jwt.secret");
    let public_key = key_file(reader, "auth.jwt.public_key", needed, |file| JwtSettings { public_key: Some(file), ..Default::default() });
    let jwks = key_file(reader, "auth.jwt.jwks", needed, |file| JwtSettings { jwks: Some(file), ..Default::default() });
    let jwks_url = jwks_url(reader, needed);
    let audience = reader.optional("auth.jwt.audience");
    let issuer = reader.optional("auth.jwt.issuer");
    let leeway_seconds = reader.number("auth.jwt.leeway_seconds", 0..=600);
    let (jwks_url, jwks_rules) = jwks_url?;
    let jwt = JwtSettings {
        secret: secret?,
        public_key: public_key?,
        jwks: jwks?,
        jwks_url,
        jwks_rules,
        audience: audience?,
        issuer: issuer?,
        leeway_seconds: leeway_seconds?,
    };
    if needed && jwt.secret.is_none() && jwt.public_key.is_none() && jwt.jwks.is_none() && jwt.jwks_url.is_none() {
        let why = "mode jwt needs something to check signatures with: set auth.jwt.secret, auth.jwt.public_key, auth.jwt.jwks or \
                   auth.jwt.jwks_url";
        return reader.refuse("auth.mode", why);
    }
    Some(jwt)
}

/// An address with keys, and whom fetching them may call.
fn jwks_url(reader: &mut Reader<'_>, needed: bool) -> Option<(Option<FetchUrl>, FetchRules)> {
    let allow = reader.list("auth.jwt.jwks_allow", |texts| texts.iter().map(|text| text.parse::<Network>()).collect());
    let insecure = reader.flag("auth.jwt.jwks_insecure");
    let url = reader.optional("auth.jwt.jwks_url");
    let rules = FetchRules { allow: allow?, insecure: insecure? };
    let Some(url) = url? else { return Some((None, rules)) };
    match url.parse::<FetchUrl>().and_then(|url| if needed { url.fits(&rules).map(|()| url) } else { Ok(url) }) {
        Ok(url) => Some((Some(url), rules)),
        Err(why) => {
            let hint = "auth.jwt.jwks_allow names networks that are no public ones, auth.jwt.jwks_insecure allows http";
            reader.refuse("auth.jwt.jwks_url", format!("{why} ({hint})"))
        }
    }
}

/// A file with keys. What a usable key is, the users service knows.
fn key_file(reader: &mut Reader<'_>, key: &str, needed: bool, alone: impl FnOnce(PathBuf) -> JwtSettings) -> Option<Option<PathBuf>> {
    let path = reader.optional(key)?.map(PathBuf::from);
    match path.clone().filter(|_| needed).map(|path| alone(path).check()) {
        // It says which setting and which file, as the problem does too.
        Some(Err(error)) => reader.refuse(key, error.0.split_once(": ").map_or(error.0.as_str(), |(_, why)| why)),
        _ => Some(path),
    }
}
