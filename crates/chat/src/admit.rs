//! Who is there: a token (or, in `open` mode, a username) becomes a user, who is put into the registry and online.

use crate::client::{Client, Proven};
use crate::gateway::Gateway;
use crate::outbound::Outbound;
use crate::registry::{Loaded, NewSocket};
use contract::calls::messages::RoomsOf;
use contract::calls::users::WhichEnded;
use contract::wire::Authenticate;
use contract::{Caller, Refusal, UserCaller, UserRef, Username};
use edge::Price;
use std::net::IpAddr;
use std::sync::Arc;

impl Gateway {
    /// Checks who shows this. `None` where nothing was shown.
    ///
    /// # Errors
    /// `unauthenticated` for what proves nothing, `rate_limited`, `forbidden` for a username that is not the token's, and whatever the users
    /// service refuses with.
    pub(crate) async fn prove(&self, address: IpAddr, shown: &Authenticate) -> Result<Option<Proven>, Refusal> {
        let asked_at = self.revocations.mark();
        let session = match (&shown.token, &shown.username) {
            (Some(token), _) => {
                let session = self.admission.authenticate(&self.bus, address, token.clone()).await?;
                // The token has been looked up, whatever comes of it: who repeats this with another's name meets a limit, too.
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
        Ok(Some(Proven { session, asked_at }))
    }

    /// Puts a connection into the registry and its user online. Undone when the connection is over, or when it fails.
    ///
    /// # Errors
    /// A service's refusal; `unauthenticated` if the token was revoked meanwhile; `busy` for a connection that is over.
    pub(crate) async fn admit(&self, client: &Client, proven: &Proven, out: Arc<dyn Outbound>) -> Result<(), Refusal> {
        let admitted = self.try_admit(client, proven, out).await;
        if admitted.is_err() {
            self.take_out(client.key, client.retreat());
        }
        admitted
    }

    async fn try_admit(&self, client: &Client, proven: &Proven, out: Arc<dyn Outbound>) -> Result<(), Refusal> {
        let over = |_| Refusal::busy("the connection is over");
        let session = &proven.session;
        // To come and go is written down twice, as presence.
        let _paid = self.admission.pay(session.user.id, Price::Change)?;
        let user = UserRef { id: session.user.id, username: session.user.username.clone() };
        let socket = NewSocket { key: client.key, token: session.token, expires_at: session.expires_at, out };
        // Rooms that were read before delivery has begun would miss what lies between the two.
        self.deliver.reach(&[]).await?;
        let (ticket, wait) = client.enter(user.id, || self.registry.enter(&user, socket)).map_err(over)?;
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
        self.must_still_hold(proven).await?;
        let came = self.presence.come(&user).await?;
        client.came(came).map_err(over)
    }

    /// A token that was revoked after it had been checked and before its socket was in the registry was missed by both.
    ///
    /// # Errors
    /// `unauthenticated` if it was, or that it could not be found out.
    pub(crate) async fn must_still_hold(&self, proven: &Proven) -> Result<(), Refusal> {
        let session = &proven.session;
        if !self.revocations.concern(proven.asked_at, session.token, session.user.id) {
            return Ok(());
        }
        let ended = self.ask(WhichEnded { sessions: vec![(session.token, session.user.id)] }).await?;
        if ended.is_empty() { Ok(()) } else { Err(Refusal::unauthenticated()) }
    }

    /// Takes a connection out of the registry.
    pub(crate) fn take_out(&self, key: crate::registry::Key, user: Option<contract::UserId>) {
        if let Some(user) = user {
            self.registry.leave(user, key, tokio::time::Instant::now());
        }
    }
}
