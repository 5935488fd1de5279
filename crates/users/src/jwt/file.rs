//! A file with keys, which is read again when it has changed: a key is exchanged without a restart.

use super::keys::{self, Key};
use crate::settings::CannotStart;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What such a file holds, for the setting that names it.
type Parse = fn(&str) -> Result<Vec<Key>, String>;

/// A file and what was last seen of it.
pub(super) struct KeyFile {
    setting: &'static str,
    path: PathBuf,
    parse: Parse,
    seen: Mutex<Result<String, String>>,
}

impl KeyFile {
    /// `auth.jwt.public_key`, with its key.
    ///
    /// # Errors
    /// It cannot be read, or holds no key: a line that names the setting and the file.
    pub(super) fn pem(path: &Path) -> Result<(Self, Vec<Key>), CannotStart> {
        Self::open("auth.jwt.public_key", path, |text| keys::pem(text).map(|key| vec![key]))
    }

    /// `auth.jwt.jwks`, with its keys.
    ///
    /// # Errors
    /// It cannot be read, or holds no key of use: a line that names the setting and the file.
    pub(super) fn jwks(path: &Path) -> Result<(Self, Vec<Key>), CannotStart> {
        Self::open("auth.jwt.jwks", path, |text| keys::jwks(text, "auth.jwt.jwks"))
    }

    fn open(setting: &'static str, path: &Path, parse: Parse) -> Result<(Self, Vec<Key>), CannotStart> {
        let wrong = |why: String| CannotStart(format!("{setting} is {}: {why}", path.display()));
        let text = read(path).map_err(wrong)?;
        let keys = parse(&text).map_err(wrong)?;
        Ok((Self { setting, path: path.to_owned(), parse, seen: Mutex::new(Ok(text)) }, keys))
    }

    /// The keys that the file holds, if it has changed since the last look. A file that is gone or broken gives none and is said once: the keys of
    /// before stay in force.
    ///
    /// The text is compared, not the time of change: some file systems count only seconds, and a mounted secret is a link that is turned.
    pub(super) fn look(&self) -> Option<Vec<Key>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = read(&self.path);
        if *seen == now {
            return None;
        }
        let parsed = now.as_ref().map_err(Clone::clone).and_then(|text| (self.parse)(text));
        *seen = now;
        match parsed {
            Ok(keys) => {
                tracing::info!(file = %self.path.display(), keys = keys.len(), "{} has changed; its keys are in force", self.setting);
                Some(keys)
            }
            Err(why) => {
                let file = self.path.display();
                tracing::error!(%file, %why, "{} has changed and cannot be used; the keys of before stay in force", self.setting);
                None
            }
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))
}
