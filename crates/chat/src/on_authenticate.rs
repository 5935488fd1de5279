//! `authenticate` by a user who is authenticated already: from then on the socket depends on the newer token, which must be the same user's.

use crate::cut::cut_unserved;
use crate::event::Event;
use contract::Refusal;
use contract::wire::{Authenticate, AuthenticateAck};

pub(crate) async fn on_authenticate(event: Event, shown: Authenticate) -> Result<AuthenticateAck, Refusal> {
    let Event { connection, user, .. } = event;
    let verified = connection.gateway.verify(connection.address(), &shown).await?.ok_or_else(no_token)?;
    if verified.user().id != user.identity.id {
        return Err(Refusal::conflict(format!("this socket is {}'s; open another one for another user", user.identity.username)));
    }
    let session = &verified.session;
    if connection.gateway.registry.renew(user.identity.id, connection.state.key, session.token, session.expires_at) {
        connection.state.renew(&verified);
    }
    if let Err(refusal) = connection.gateway.must_still_be_valid(&verified).await {
        cut_unserved(&connection.conn, &refusal);
        return Err(refusal);
    }
    Ok(AuthenticateAck { user: session.user.clone() })
}

/// What a client is told that shows no token.
pub(crate) fn no_token() -> Refusal {
    Refusal::invalid("token", "token: it is needed (the one that a login gave)")
}
