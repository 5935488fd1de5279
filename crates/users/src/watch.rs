//! Invalidates the caches of users and sessions. When `guild user …` changes the database from another process, both caches are cleared and
//! every gateway checks its sessions again. Other processes with this service publish hints.

use crate::service::Users;
use bus::{Heard, Subscription};
use contract::hint::{Revoked, UserChanged};
use std::sync::Arc;

pub(crate) async fn foreign_writes(users: Arc<Users>) {
    let mut writes = users.db.foreign_writes();
    while writes.changed().await.is_ok() {
        tracing::debug!("another process has written to the database; asking again about every token");
        users.check_all_sessions();
    }
    // The sender was dropped: the database is closed, or the engine never reports foreign writes.
    std::future::pending().await
}

/// Keeps the keys fresh by which a host application signs.
pub(crate) async fn keys(users: Arc<Users>) {
    if let Some(jwt) = &users.jwt {
        jwt.keep_fresh().await;
    }
}

/// Removes what other processes have changed from the caches. This process's own hints come too, which costs one more look-up.
pub(crate) async fn others(users: Arc<Users>, mut revoked: Subscription<Revoked>, mut changed: Subscription<UserChanged>) {
    loop {
        tokio::select! {
            hint = revoked.next() => match hint {
                Some(Heard::Hint(hint)) => match &*hint {
                    Revoked::Tokens(tokens) => tokens.iter().for_each(|token| users.sessions.forget(token)),
                    Revoked::User { user, except } => users.forget_user(*user, *except),
                    Revoked::AskAgain => users.clear_caches(),
                },
                Some(Heard::Missed(_)) => users.clear_caches(),
                None => return,
            },
            hint = changed.next() => match hint {
                Some(Heard::Hint(hint)) => users.forget_user(hint.user, None),
                Some(Heard::Missed(_)) => users.clear_caches(),
                None => return,
            },
        }
    }
}

impl Users {
    /// Clears the caches, and makes every gateway check its sessions again.
    pub(crate) fn check_all_sessions(&self) {
        self.clear_caches();
        self.bus.publish(Revoked::AskAgain);
    }

    fn clear_caches(&self) {
        self.sessions.clear();
        self.known.clear();
    }
}
