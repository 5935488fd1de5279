//! Tokens that are not valid any more: their sockets are told and cut.

use crate::gateway::Gateway;
use crate::outbound::cut_for;
use bus::{Heard, Subscription};
use contract::calls::users::WhichEnded;
use contract::hint::Revoked;
use contract::{Code, Refusal, TokenId, UserId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many revocations are remembered for those who are being authenticated; they take milliseconds.
const REMEMBERED: usize = 1_000;
/// How many tokens are asked about at once, which is the most that the call takes.
const PAGE: usize = 1_000;
/// How soon tokens that could not be checked are asked about again.
const RETRY: Duration = Duration::from_millis(200);

/// The last revocations that were heard of, numbered.
#[derive(Default)]
pub(crate) struct Revocations(Mutex<Heards>);

#[derive(Default)]
struct Heards {
    last: u64,
    kept: VecDeque<Arc<Revoked>>,
}

impl Revocations {
    /// The number of the last one. Take it before a token is checked.
    pub(crate) fn mark(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    fn note(&self, revoked: Arc<Revoked>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last += 1;
        heard.kept.push_back(revoked);
        if heard.kept.len() > REMEMBERED {
            heard.kept.pop_front();
        }
    }

    /// Whether one since `mark` may have ended this token.
    pub(crate) fn concern(&self, mark: u64, token: TokenId, user: UserId) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = usize::try_from(heard.last.saturating_sub(mark)).unwrap_or(usize::MAX);
        since > heard.kept.len()
            || heard.kept.iter().rev().take(since).any(|revoked| match &**revoked {
                Revoked::Tokens(tokens) => tokens.contains(&token),
                Revoked::User { user: whose, except } => *whose == user && *except != Some(token),
                Revoked::AskAgain => true,
            })
    }
}

impl Gateway {
    /// Cuts sockets whenever it is said that tokens have ended. What could not be found out is asked again until it is.
    pub(crate) async fn hear_revocations(self: Arc<Self>, mut revocations: Subscription<Revoked>) {
        let mut unsure = false;
        loop {
            let revoked = tokio::select! {
                heard = revocations.next() => match heard {
                    Some(Heard::Hint(revoked)) => revoked,
                    Some(Heard::Missed(_)) => Arc::new(Revoked::AskAgain),
                    None => return,
                },
                () = tokio::time::sleep(RETRY), if unsure => Arc::new(Revoked::AskAgain),
            };
            // Noted before the registry is looked through: whoever enters after that asks again.
            self.revocations.note(Arc::clone(&revoked));
            if *revoked == Revoked::AskAgain {
                // A tool may have begun a new epoch.
                self.deliver.look();
                unsure = !self.ask_again().await;
            } else {
                self.cut_revoked(&revoked);
            }
        }
    }

    fn cut_revoked(&self, revoked: &Revoked) {
        let refusal = Refusal::new(Code::Unauthenticated, "this token is not valid any more; log in again");
        for out in self.registry.take_revoked(revoked) {
            cut_for(&*out, &refusal);
        }
    }

    /// Asks about every token by which a socket lives here. False if some could not be checked.
    async fn ask_again(&self) -> bool {
        let mut sure = true;
        for page in self.registry.tokens().chunks(PAGE) {
            match self.ask(WhichEnded { sessions: page.to_vec() }).await {
                Ok(ended) if ended.is_empty() => {}
                Ok(ended) => self.cut_revoked(&Revoked::Tokens(ended)),
                Err(refusal) => {
                    tracing::warn!(%refusal, "tokens could not be checked again; their sockets stay until they can");
                    sure = false;
                }
            }
        }
        sure
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
