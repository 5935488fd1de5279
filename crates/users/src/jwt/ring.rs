//! The keys in force, from all their sources, and which set of them it is.

use super::checks::Checks;
use super::keys::Key;
use jsonwebtoken::Validation;
use std::sync::{Arc, PoisonError, RwLock};

/// Where keys come from. Each source's keys are replaced as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `auth.jwt.secret`.
    Secret,
    /// `auth.jwt.public_key`.
    PublicKey,
    /// `auth.jwt.jwks`.
    JwksFile,
    /// `auth.jwt.jwks_url`.
    JwksUrl,
}

/// Every key with what its tokens are checked for.
pub(super) type Keys = Vec<(Key, Validation)>;

/// The keys in force. They are read at every token that is not remembered, and seldom replaced.
pub(super) struct Ring {
    checks: Checks,
    held: RwLock<Held>,
}

struct Held {
    keys: Arc<Vec<(Source, Keys)>>,
    generation: u64,
}

impl Ring {
    pub(super) fn new(checks: Checks) -> Self {
        Self { checks, held: RwLock::new(Held { keys: Arc::default(), generation: 1 }) }
    }

    /// Replaces one source's keys.
    pub(super) fn replace(&self, source: Source, keys: Vec<Key>) {
        let with_checks = |key: Key| {
            let validation = self.checks.of(key.algorithm);
            (key, validation)
        };
        let keys = keys.into_iter().map(with_checks).collect();
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let others = held.keys.iter().filter(|(of, _)| *of != source).cloned();
        held.keys = Arc::new(others.chain([(source, keys)]).collect());
        held.generation += 1;
    }

    /// The keys of each source.
    pub(super) fn keys(&self) -> Arc<Vec<(Source, Keys)>> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Which set this is: another number after each change.
    pub(super) fn generation(&self) -> u64 {
        self.held.read().unwrap_or_else(PoisonError::into_inner).generation
    }
}
