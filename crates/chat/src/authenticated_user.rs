//! Who a connection belongs to: the session that a token proves, and the user in whose name services are asked.

use contract::calls::users::Session;
use contract::{Caller, User, UserCaller};
use std::sync::Arc;

/// A session whose token has been checked.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedSession {
    pub(crate) session: Session,
    /// The last revocation before the check; see [`crate::revocations::Revocations::mark`].
    pub(crate) revocation_mark: u64,
}

/// An authenticated user.
#[derive(Debug)]
pub(crate) struct AuthenticatedUser {
    pub(crate) caller: Caller,
    pub(crate) identity: UserCaller,
}

impl VerifiedSession {
    pub(crate) fn user(&self) -> &User {
        &self.session.user
    }

    pub(crate) fn authenticated_user(&self) -> Arc<AuthenticatedUser> {
        let Session { user, token, .. } = &self.session;
        let identity = UserCaller { id: user.id, username: user.username.clone(), token: *token };
        Arc::new(AuthenticatedUser { caller: Caller::User(identity.clone()), identity })
    }
}
