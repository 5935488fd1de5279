//! `guild user …` changes the database from another process. Then nothing that is remembered counts any more, and every gateway asks
//! again about its sessions.

use crate::Users;
use contract::hint::Revoked;
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

impl Users {
    /// Forgets everything that is remembered, and has gateways ask about their sessions.
    pub(crate) fn look_again(&self) {
        self.sessions.clear();
        self.known.clear();
        self.bus.publish(Revoked::AskAgain);
    }
}
