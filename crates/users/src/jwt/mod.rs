//! Tokens that a host application signs (RFC 7519): whether one is good, and whom it speaks of.
//!
//! `keys` is what a key is and how one is read, `file` and `remote` are where they come from, `ring` holds those in force, `checks` is what
//! a token is checked for beside its signature.

mod checks;
mod file;
mod keys;
mod remote;
mod ring;
#[cfg(test)]
mod rotation_tests;
#[cfg(test)]
mod tests;

use crate::settings::{CannotStart, JwtSettings};
use checks::{Checks, Times, refused};
use contract::{Refusal, Time, Username};
use file::KeyFile;
use jsonwebtoken::{Algorithm, Header, decode, decode_header, errors::ErrorKind};
use remote::Remote;
use ring::{Ring, Source};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Longest `iss` and `sub` together, in bytes: they are a key in the database.
const ORIGIN_BYTES: usize = 1_024;

/// How often key files are looked at.
const FILES_EVERY: Duration = Duration::from_secs(5);

/// How soon they are looked at again because a token names a key that is not there.
const FILES_SOONEST: Duration = Duration::from_secs(2);

/// How soon the key set at an address is fetched again because a token names a key that is not in it.
const FETCH_SOONEST: Duration = Duration::from_secs(10);

/// What tokens are checked against.
pub(crate) struct Jwt {
    checks: Checks,
    ring: Arc<Ring>,
    files: Arc<Vec<(Source, KeyFile)>>,
    /// When the files were last looked at.
    looked: Mutex<Instant>,
    remote: Option<Arc<Remote>>,
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
    iat: Option<f64>,
}

/// Why a signature was not found good.
enum Unsigned {
    /// No key has the token's algorithm and kid. Keys without a kid were tried, if there are any: then it is their word.
    NoKey(Option<&'static str>),
    /// This is wrong with it.
    Wrong(&'static str),
}

impl Jwt {
    /// Reads the keys that are here. Those at an address are fetched later ([`Self::keep_fresh`]).
    ///
    /// # Errors
    /// A file that cannot be read or holds no usable key, or nothing to take keys from, as a line that names the setting.
    pub(crate) fn new(settings: &JwtSettings) -> Result<Self, CannotStart> {
        let checks = Checks::new(settings);
        let ring = Ring::new(checks.clone());
        let mut files = Vec::new();
        let mut sources = 0;
        let secret = keys::secret(settings);
        if !secret.is_empty() {
            sources += 1;
            ring.replace(Source::Secret, secret);
        }
        if let Some(path) = settings.public_key.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            let (file, keys) = KeyFile::pem(path)?;
            files.push((Source::PublicKey, file));
            ring.replace(Source::PublicKey, keys);
        }
        if let Some(path) = settings.jwks.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            let (file, keys) = KeyFile::jwks(path)?;
            files.push((Source::JwksFile, file));
            ring.replace(Source::JwksFile, keys);
        }
        let remote = settings.jwks_url.clone().map(|url| Remote::new(url, settings.jwks_rules.clone()));
        if sources + files.len() == 0 && remote.is_none() {
            return Err(CannotStart(
                "auth.mode takes tokens of a host application, and nothing says how they are signed: set auth.jwt.secret (HS256), \
                 auth.jwt.public_key (a PEM file), auth.jwt.jwks (a JWKS file) or auth.jwt.jwks_url (a JWKS at an address)"
                    .into(),
            ));
        }
        let looked = Mutex::new(Instant::now());
        Ok(Self { checks, ring: Arc::new(ring), files: Arc::new(files), looked, remote: remote.map(Arc::new) })
    }

    /// Which set of keys is in force; another number after each change. What was found good by other keys is to be checked again.
    pub(crate) fn generation(&self) -> u64 {
        self.ring.generation()
    }

    /// Whom this token speaks of.
    ///
    /// # Errors
    /// `unauthenticated`, with the reason: the host application's developers are the ones who read it. `busy` where the keys cannot be
    /// fetched at the moment and those that are here are not enough.
    pub(crate) async fn bearer(&self, token: &str, now: Time) -> Result<Bearer, Refusal> {
        let Claims { sub, iss, username, exp, nbf, iat } = self.claims(token).await?;
        let expires_at = self.checks.expiry(Times { exp, nbf, iat }, now)?;
        let sub = sub.filter(|sub| !sub.is_empty()).ok_or_else(|| refused("it has no sub, or an empty one"))?;
        if sub.len() + iss.as_ref().map_or(0, String::len) > ORIGIN_BYTES {
            return Err(refused("its sub and iss are too long"));
        }
        let username = match username {
            Some(username) => Username::try_from(username).map_err(|e| refused(&format!("its claim username is no username: {e}"))),
            None => Username::try_from(sub.as_str()).map_err(|_| refused("it has no claim username, and its sub is not a valid username")),
        }?;
        Ok(Bearer { origin: serde_json::json!([iss, sub]).to_string(), username, expires_at })
    }

    /// What the token claims, once its signature is found good: by the keys that are here, else by those that a look brings.
    async fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        let header = decode_header(token).map_err(|_| refused("its header cannot be read, or names an algorithm that is not taken"))?;
        if header.crit.is_some() {
            return Err(refused("its header has extensions (crit) that this server does not know"));
        }
        match self.verify(token, &header) {
            Ok(claims) => return Ok(claims),
            Err(Unsigned::Wrong(why)) => return Err(refused(why)),
            // A secret comes from the settings alone: no look brings another.
            Err(Unsigned::NoKey(why)) if header.alg == Algorithm::HS256 => return Err(refused(why.unwrap_or(NO_KEY))),
            Err(Unsigned::NoKey(_)) => {}
        }
        self.look_for_keys(FILES_SOONEST, FETCH_SOONEST).await;
        match self.verify(token, &header) {
            Ok(claims) => Ok(claims),
            Err(Unsigned::Wrong(why)) => Err(refused(why)),
            Err(Unsigned::NoKey(_)) if self.remote.as_ref().is_some_and(|remote| remote.is_unknown()) => {
                Err(Refusal::busy("the keys that tokens are signed with cannot be fetched at the moment; try again in a little while"))
            }
            Err(Unsigned::NoKey(why)) => Err(refused(why.unwrap_or(NO_KEY))),
        }
    }

    fn verify(&self, token: &str, header: &Header) -> Result<Claims, Unsigned> {
        let mut why = Unsigned::NoKey(None);
        let keys = self.ring.keys();
        let fitting = keys.iter().flat_map(|(_, keys)| keys).filter(|(key, _)| key.fits(header.alg, header.kid.as_deref()));
        for (key, validation) in fitting {
            match decode::<Claims>(token, &key.key, validation) {
                Ok(data) => return Ok(data.claims),
                // A key without a name is tried for every token; that it is not the one says nothing of the key that the token names.
                Err(error) if *error.kind() == ErrorKind::InvalidSignature && header.kid.is_some() && !key.is_named() => {
                    if let Unsigned::NoKey(tried) = &mut why {
                        *tried = Some(reason(error.kind()));
                    }
                }
                // With several keys, another one may be the right one.
                Err(error) => why = Unsigned::Wrong(reason(error.kind())),
            }
        }
        Err(why)
    }

    /// Looks whether there are other keys now, at the files and the address that were not looked at for so long.
    async fn look_for_keys(&self, files: Duration, address: Duration) {
        let due = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let due = !self.files.is_empty() && looked.elapsed() >= files;
            if due {
                *looked = Instant::now();
            }
            due
        };
        if due {
            self.look_at_files().await;
        }
        if let Some(remote) = &self.remote {
            self.refresh(remote, address).await;
        }
    }

    async fn look_at_files(&self) {
        let (files, ring) = (Arc::clone(&self.files), Arc::clone(&self.ring));
        let looked = tokio::task::spawn_blocking(move || {
            for (source, file) in files.iter() {
                if let Some(keys) = file.look() {
                    ring.replace(*source, keys);
                }
            }
        });
        if let Err(error) = looked.await {
            tracing::error!(%error, "looking at the key files went wrong");
        }
    }

    async fn refresh(&self, remote: &Arc<Remote>, at_most_every: Duration) {
        let ring = Arc::clone(&self.ring);
        remote.refresh(at_most_every, move |keys| ring.replace(Source::JwksUrl, keys)).await;
    }

    /// Reads and fetches everything again, now.
    pub(crate) async fn reload(&self) {
        self.look_for_keys(Duration::ZERO, Duration::ZERO).await;
    }

    /// Whether there are keys that may change while the server runs.
    pub(crate) fn has_sources(&self) -> bool {
        !self.files.is_empty() || self.remote.is_some()
    }

    /// Keeps the keys as they are in the files and at the address, for as long as it is polled.
    pub(crate) async fn keep_fresh(&self) {
        let mut files = Instant::now() + FILES_EVERY;
        loop {
            let due = self.remote.as_ref().map_or(files, |remote| remote.due().min(files));
            tokio::time::sleep_until(due).await;
            if Instant::now() >= files {
                self.look_at_files().await;
                files = Instant::now() + FILES_EVERY;
            }
            if let Some(remote) = self.remote.as_ref().filter(|remote| remote.due() <= Instant::now()) {
                self.refresh(remote, Duration::ZERO).await;
            }
        }
    }
}

const NO_KEY: &str = "no key of this server has its algorithm and kid";

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAudience => "its aud is not this server's",
        ErrorKind::InvalidIssuer => "its iss is not the expected one",
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => "it has no aud",
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => "it has no iss",
        ErrorKind::Json(_) => "a claim is missing or of the wrong type (exp, nbf, iat: number; sub, iss, username: text)",
        _ => "it is malformed",
    }
}
