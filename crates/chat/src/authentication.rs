//! A token (or, in `open` mode, a username) becomes a user, who is put into the registry and online.

use crate::authenticated_user::VerifiedSession;
use crate::connection_state::{ConnectionClosed, ConnectionState};
use crate::gateway::Gateway;
use crate::registry::{Key, Loaded, NewSocket};
use crate::transport::Transport;
use contract::calls::messages::RoomsOf;
use contract::calls::users::WhichEnded;
use contract::wire::Authenticate;
use contract::{Caller, Refusal, UserCaller, UserId, UserRef, Username};
use edge::Price;
use std::net::IpAddr;
use std::sync::Arc;

impl Gateway {
    /// Checks what a client shows. `None` where it shows nothing.
    ///
    /// # Errors
    /// `unauthenticated` for what proves nothing, `rate_limited`, `forbidden` for a username that is not the token's, and whatever the users
    /// service refuses with.
    pub(crate) async fn verify(&self, address: IpAddr, shown: &Authenticate) -> Result<Option<VerifiedSession>, Refusal> {
        let revocation_mark = self.revocations.mark();
        let session = match (&shown.token, &shown.username) {
            (Some(token), _) => {
                let session = self.admission.authenticate(&self.bus, address, token.clone()).await?;
                // The look-up is paid for whatever comes of it: a client that repeats it with another user's name meets a limit, too.
                let _paid = self.admission.pay(session.user.id, Price::Read)?;
                let user = UserCaller { id: session.user.id, username: session.user.username.clone(), token: session.token };
                user.check_claim(shown)?;
                session
            }
            (None, Some(username)) => {
                let username = Username::try_from(username.as_str()).map_err(|why| Refusal::invalid("username", why))?;
                self.admission.authenticate_open(&self.bus, address, username).await?
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(VerifiedSession { session, revocation_mark }))
    }

    /// Puts a connection into the registry and its user online. It is undone when the connection is over, or when this fails.
    ///
    /// # Errors
    /// A service's refusal; `unauthenticated` if the token was revoked meanwhile; `busy` for a connection that is over.
    pub(crate) async fn register(
        &self,
        state: &ConnectionState,
        verified: &VerifiedSession,
        transport: Arc<dyn Transport>,
    ) -> Result<(), Refusal> {
        let registered = self.try_register(state, verified, transport).await;
        if registered.is_err() {
            self.take_out(state.key, state.unregister());
        }
        registered
    }

    async fn try_register(
        &self,
        state: &ConnectionState,
        verified: &VerifiedSession,
        transport: Arc<dyn Transport>,
    ) -> Result<(), Refusal> {
        let closed = |ConnectionClosed| Refusal::busy("the connection is over");
        let session = &verified.session;
        // It costs two durable writes: presence is stored when the user comes and when the user goes.
        let _paid = self.admission.pay(session.user.id, Price::Change)?;
        let user = UserRef { id: session.user.id, username: session.user.username.clone() };
        let socket = NewSocket { key: state.key, token: session.token, expires_at: session.expires_at, transport };
        // Rooms that are read before delivery has begun would miss what lies between the two.
        self.delivery.reach(&[]).await?;
        let (ticket, wait) = state.register(user.id, || self.registry.enter(&user, socket)).map_err(closed)?;
        if let Some(ticket) = ticket {
            // In a task of its own: others may wait for it, whatever becomes of this connection.
            let bus = self.bus.clone();
            tokio::spawn(async move {
                let rooms = bus.ask(&Caller::service("chat"), RoomsOf { user: ticket.user() }).await;
                ticket.done(rooms);
            });
        }
        if let Some(mut wait) = wait {
            let loaded = wait.wait_for(|loaded| !matches!(loaded, Loaded::Pending)).await.map(|loaded| loaded.clone());
            match loaded {
                Ok(Loaded::Failed(refusal)) => return Err(refusal),
                Ok(_) => {}
                Err(_) => return Err(Refusal::busy("the rooms could not be read; try again")),
            }
        }
        self.must_still_be_valid(verified).await?;
        let presence = self.presence.come(&user).await?;
        state.keep_online(presence).map_err(closed)
    }

    /// Asks again about a token that may have been revoked after its check and before its socket was in the registry: neither of the two
    /// would have noticed.
    ///
    /// # Errors
    /// `unauthenticated` if it was revoked; what the users service refuses with.
    pub(crate) async fn must_still_be_valid(&self, verified: &VerifiedSession) -> Result<(), Refusal> {
        let session = &verified.session;
        if !self.revocations.concern(verified.revocation_mark, session.token, session.user.id) {
            return Ok(());
        }
        let ended = self.ask(WhichEnded { sessions: vec![(session.token, session.user.id)] }).await?;
        if ended.is_empty() { Ok(()) } else { Err(Refusal::unauthenticated()) }
    }

    /// Takes a connection out of the registry.
    pub(crate) fn take_out(&self, key: Key, user: Option<UserId>) {
        if let Some(user) = user {
            self.registry.leave(user, key, tokio::time::Instant::now());
        }
    }
}
