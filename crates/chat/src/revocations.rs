//! The last revocations that were heard of, numbered: a token that is being checked may have been revoked meanwhile.

use contract::hint::Revoked;
use contract::{TokenId, UserId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are remembered for tokens that are being checked; a check takes milliseconds.
const REMEMBERED: usize = 1_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Revocations(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last: u64,
    kept: VecDeque<Arc<Revoked>>,
}

impl Revocations {
    /// The number of the last one. Take it before a token is checked.
    pub(crate) fn mark(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Adds a revocation.
    pub(crate) fn note(&self, revoked: Arc<Revoked>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last += 1;
        inner.kept.push_back(revoked);
        if inner.kept.len() > REMEMBERED {
            inner.kept.pop_front();
        }
    }

    /// Whether a revocation since `mark` may have ended this token.
    pub(crate) fn concern(&self, mark: u64, token: TokenId, user: UserId) -> bool {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = usize::try_from(inner.last.saturating_sub(mark)).unwrap_or(usize::MAX);
        since > inner.kept.len()
            || inner.kept.iter().rev().take(since).any(|revoked| match &**revoked {
                Revoked::Tokens(tokens) => tokens.contains(&token),
                Revoked::User { user: whose, except } => *whose == user && *except != Some(token),
                Revoked::AskAgain => true,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_revocations_of_the_same_token_concern() {
        let revocations = Revocations::default();
        let (user, token, other) = (UserId::new(), TokenId::from_bytes([1; 16]), TokenId::from_bytes([2; 16]));
        revocations.note(Arc::new(Revoked::Tokens(vec![token])));
        let mark = revocations.mark();
        assert!(!revocations.concern(mark, token, user));
        revocations.note(Arc::new(Revoked::User { user, except: Some(token) }));
        assert!(!revocations.concern(mark, token, user));
        assert!(revocations.concern(mark, other, user));
        assert!(revocations.concern(0, token, user));
        for _ in 0..REMEMBERED + 1 {
            revocations.note(Arc::new(Revoked::Tokens(vec![])));
        }
        assert!(revocations.concern(mark, token, user), "what is not remembered any more may have been about it");
        assert!(!revocations.concern(revocations.mark(), token, user));
        revocations.note(Arc::new(Revoked::AskAgain));
        assert!(revocations.concern(mark, token, user));
    }
}
