//! What the transport calls: a connection opens, connects, sends events, and ends.

use crate::connection::Connection;
use crate::connection_state::{ConnectOutcome, ConnectionState, EventRoute};
use crate::cut::cut_unserved;
use crate::dispatch::{dispatch, too_many};
use crate::gateway::Gateway;
use crate::handshake::{authenticate_first, authenticated_at_connect};
use crate::start::start_while_open;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use contract::wire::{Authenticate, client};
use contract::{Code, Refusal};
use edge::{Peer, Problem};
use serde_json::Value;
use socketio::{BoxFuture, Conn, ConnectError, Handler, Incoming, TransportGuard};
use std::net::IpAddr;
use std::sync::Arc;

/// The handler that the transport is given.
pub(crate) struct TransportHandler(pub(crate) Arc<Gateway>);

impl Handler for TransportHandler {
    fn open(&self, request: &Parts) -> Result<TransportGuard, Box<Response>> {
        match self.0.open(Peer::of(request).key()) {
            Ok(slot) => Ok(Box::new(slot)),
            Err(refusal) => {
                tracing::debug!(%refusal, "refused a transport");
                Err(Box::new(Problem(refusal).into_response()))
            }
        }
    }

    fn connect(self: Arc<Self>, conn: Arc<Conn>, auth: Value) -> BoxFuture<'static, Result<(), ConnectError>> {
        Box::pin(async move { self.0.connect(&conn, &auth).await.map_err(connect_error) })
    }

    fn connected(&self, conn: &Arc<Conn>) {
        let Some(connection) = self.connection(conn) else { return };
        tracing::debug!(conn = conn.id(), "connected");
        match connection.state.take_connect_outcome() {
            Some(ConnectOutcome::Verified(verified, cursor)) => {
                start_while_open(Arc::clone(conn), authenticated_at_connect(connection, verified, cursor));
            }
            Some(ConnectOutcome::Failed(refusal)) => cut_unserved(conn, &refusal),
            None => connection.gateway.start_authentication_deadline(connection.state.key),
        }
    }

    fn event(&self, conn: &Arc<Conn>, event: Incoming) {
        // A socket that has been cut gets no more answers, though what it sent before that may still come.
        if let Some(connection) = self.connection(conn).filter(|_| conn.is_open()) {
            take(connection, event);
        }
    }

    fn disconnected(&self, conn: &Arc<Conn>, reason: &'static str) {
        let Some(connection) = self.connection(conn) else { return };
        let Connection { gateway, state, .. } = connection;
        tracing::debug!(conn = conn.id(), user = state.username(), reason, "disconnected");
        // The transport cuts a client that has taken nothing for too long. A client that is too far behind is counted where it is cut.
        if reason == "slow client" {
            metrics::counter!("guild_slow_clients_cut_total").increment(1);
        }
        gateway.take_out(state.key, state.close());
        gateway.closed(state.key);
    }
}

impl TransportHandler {
    fn connection(&self, conn: &Arc<Conn>) -> Option<Connection> {
        let state = conn.state::<ConnectionState>()?;
        Some(Connection { gateway: Arc::clone(&self.0), conn: Arc::clone(conn), state })
    }
}

/// Takes an event as it comes.
fn take(connection: Connection, event: Incoming) {
    let authenticates = event.name == client::AUTHENTICATE;
    let (event, refusal) = match connection.state.route(event, authenticates) {
        EventRoute::Answer(user, event) => return dispatch(connection, user, event),
        EventRoute::Unauthenticated(event) if authenticates => return authenticate_first(connection, event),
        EventRoute::Held | EventRoute::Closed => return,
        EventRoute::Unauthenticated(event) => (event, Refusal::unauthenticated()),
        EventRoute::TooMany(event) => (event, too_many()),
    };
    connection.refuse(event.ack, refusal);
}

impl Gateway {
    /// Lets a connection in, authenticated or not yet.
    async fn connect(&self, conn: &Arc<Conn>, auth: &Value) -> Result<(), Refusal> {
        let address = Peer::of(conn.req_parts()).key();
        let slot = self.socket_slots.take(address);
        let verified = match &slot {
            Some(_) => self.verify_connect(address, auth).await,
            None => Err(self.too_many_sockets()),
        };
        let state = Arc::new(ConnectionState::new(self.next_key(), self.keep(), slot));
        match verified {
            Ok(Some(outcome)) => state.set_connect_outcome(outcome),
            Ok(None) => {}
            // A stock client that gets a connect_error stays away. This one is let in, told why, and cut: then it comes back by itself.
            Err(refusal) if may_pass(refusal.code) => state.set_connect_outcome(ConnectOutcome::Failed(refusal)),
            Err(refusal) => return Err(refusal),
        }
        self.opened(state.key, conn);
        conn.set_state(state);
        Ok(())
    }

    /// Verifies the `auth` of CONNECT; `None` where nothing is shown.
    async fn verify_connect(&self, address: IpAddr, auth: &Value) -> Result<Option<ConnectOutcome>, Refusal> {
        let shown = match auth {
            Value::Null => Authenticate::default(),
            shown => edge::read_json(&shown.to_string())?,
        };
        self.must_not_drain()?;
        let verified = self.verify(address, &shown).await?;
        Ok(verified.map(|verified| ConnectOutcome::Verified(verified, shown.cursor)))
    }
}

/// Whether the same connection may be let in a little later, although nobody has changed anything.
fn may_pass(code: Code) -> bool {
    matches!(code, Code::Busy | Code::RateLimited | Code::Internal)
}

fn connect_error(refusal: Refusal) -> ConnectError {
    tracing::debug!(%refusal, "refused a connection");
    let message = refusal.detail.clone();
    // A refusal has a JSON form; without one the message says it all.
    ConnectError { message, data: serde_json::to_value(refusal).unwrap_or_default() }
}
