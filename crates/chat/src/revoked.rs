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
use tokio::sync::Notify;

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
    /// Cuts sockets whenever it is said that tokens have ended. Where it is not said which, the users service is asked beside that: it may
    /// take long to answer, and whose token is named meanwhile is cut at once.
    pub(crate) async fn hear_revocations(self: Arc<Self>, mut revocations: Subscription<Revoked>) {
        let ask = Notify::new();
        let hear = async {
            while let Some(heard) = revocations.next().await {
                let revoked = match heard {
                    Heard::Hint(revoked) => revoked,
                    Heard::Missed(_) => Arc::new(Revoked::AskAgain),
                };
                // Noted before the registry is looked through: whoever enters after that asks again.
                self.revocations.note(Arc::clone(&revoked));
                if *revoked == Revoked::AskAgain {
                    // A tool may have begun a new epoch.
                    self.deliver.look();
                    ask.notify_one();
                } else {
                    self.cut_revoked(&revoked);
                }
            }
        };
        tokio::select! {
            () = hear => {}
            () = self.ask_when_told(&ask) => {}
        }
    }

    /// Asks about all tokens whenever it is told to, again and again until each of them could be checked.
    async fn ask_when_told(&self, ask: &Notify) {
        loop {
            ask.notified().await;
            let mut unsure = self.registry.tokens();
            loop {
                unsure = self.ask_about(unsure).await;
                if unsure.is_empty() {
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    // Those that have been checked may have ended since.
                    () = ask.notified() => unsure = self.registry.tokens(),
                }
            }
        }
    }

    fn cut_revoked(&self, revoked: &Revoked) {
        let refusal = Refusal::new(Code::Unauthenticated, "this token is not valid any more; log in again");
        for out in self.registry.take_revoked(revoked) {
            cut_for(&*out, &refusal);
        }
    }

    /// Asks about these tokens, and cuts the sockets of those that have ended. Answers the ones that could not be checked.
    async fn ask_about(&self, mut sessions: Vec<(TokenId, UserId)>) -> Vec<(TokenId, UserId)> {
        while !sessions.is_empty() {
            let page = sessions.split_off(sessions.len().saturating_sub(PAGE));
            match self.ask(WhichEnded { sessions: page.clone() }).await {
                Ok(ended) if ended.is_empty() => {}
                Ok(ended) => self.cut_revoked(&Revoked::Tokens(ended)),
                Err(refusal) => {
                    tracing::warn!(%refusal, "tokens could not be checked again; their sockets stay until they can");
                    sessions.extend(page);
                    break;
                }
            }
        }
        sessions
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
