//! Tokens that are not valid any more: their sockets are told and cut.

use crate::cut::cut_for_good;
use crate::gateway::Gateway;
use bus::{Heard, Subscription};
use contract::calls::users::WhichEnded;
use contract::hint::Revoked;
use contract::{Code, Refusal, TokenId, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How many tokens are asked about at once, which is the most that the call takes.
const PAGE: usize = 1_000;
/// How soon tokens that could not be checked are asked about again.
const RETRY: Duration = Duration::from_millis(200);

impl Gateway {
    /// Cuts the sockets of revoked tokens. Where a hint does not name the tokens, the users service is asked about all of them. It may take
    /// long to answer; sockets whose tokens are named meanwhile are cut at once.
    pub(crate) async fn hear_revocations(self: Arc<Self>, mut revocations: Subscription<Revoked>) {
        let ask = Notify::new();
        let hear = async {
            while let Some(heard) = revocations.next().await {
                let revoked = match heard {
                    Heard::Hint(revoked) => revoked,
                    Heard::Missed(_) => Arc::new(Revoked::AskAgain),
                };
                // Noted before the registry is searched: a socket that is registered after that asks again.
                self.revocations.note(Arc::clone(&revoked));
                if *revoked == Revoked::AskAgain {
                    // A tool may have begun a new epoch.
                    self.delivery.request_catch_up();
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

    /// Asks about all tokens whenever it is told to, until each of them could be checked.
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
                    // Tokens that have been checked may have ended since.
                    () = ask.notified() => unsure = self.registry.tokens(),
                }
            }
        }
    }

    fn cut_revoked(&self, revoked: &Revoked) {
        let refusal = Refusal::new(Code::Unauthenticated, "this token is not valid any more; log in again");
        for transport in self.registry.take_revoked(revoked) {
            cut_for_good(&*transport, &refusal);
        }
    }

    /// Asks about these tokens, and cuts the sockets of those that have ended. Answers those that could not be checked.
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
