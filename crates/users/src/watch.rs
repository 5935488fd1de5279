//! What this process remembers of users, and what makes it forget. `guild user …` changes the database from another process: then nothing
//! that is remembered counts any more, and every gateway asks again about its sessions. Other processes with this service tell by hints.

use crate::Users;
use bus::{Heard, Subscription};
use contract::hint::{Revoked, UserChanged};
use std::sync::Arc;

pub(crate) async fn foreign_writes(users: Arc<Users>) {
    let mut writes = users.db.foreign_writes();
    while writes.changed().await.is_ok() {
        tracing::debug!("another process has written to the database; asking again about every token");
        users.look_again();
    }
    // The database says nothing any more: it is closed, or the engine never does.
    std::future::pending().await
}

/// Keeps the keys fresh by which a host application signs.
pub(crate) async fn keys(users: Arc<Users>) {
    if let Some(jwt) = &users.jwt {
        jwt.keep_fresh().await;
    }
}

/// Forgets what has changed at other processes. One's own changes come along too, which costs a look-up more.
pub(crate) async fn others(users: Arc<Users>, mut revoked: Subscription<Revoked>, mut changed: Subscription<UserChanged>) {
    loop {
        tokio::select! {
            heard = revoked.next() => match heard {
                Some(Heard::Hint(hint)) => match &*hint {
                    Revoked::Tokens(tokens) => tokens.iter().for_each(|token| users.sessions.forget(token)),
                    Revoked::User { user, except } => users.forget_user(*user, *except),
                    Revoked::AskAgain => users.forget_everybody(),
                },
                Some(Heard::Missed(_)) => users.forget_everybody(),
                None => return,
            },
            heard = changed.next() => match heard {
                Some(Heard::Hint(hint)) => users.forget_user(hint.user, None),
                Some(Heard::Missed(_)) => users.forget_everybody(),
                None => return,
            },
        }
    }
}

impl Users {
    /// Forgets everything that is remembered, and has gateways ask about their sessions.
    pub(crate) fn look_again(&self) {
        self.forget_everybody();
        self.bus.publish(Revoked::AskAgain);
    }

    fn forget_everybody(&self) {
        self.sessions.clear();
        self.known.clear();
    }
}
