//! Where the transport's words become this crate's: a connection comes, speaks, and goes.

use crate::client::{AtConnect, Client, Proven};
use crate::gateway::Gateway;
use crate::line::Line;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use contract::wire::Authenticate;
use contract::{Code, Refusal};
use edge::{Peer, Problem};
use serde_json::Value;
use socketio::{BoxFuture, Conn, ConnectError, Handler, Incoming, TransportGuard};
use std::net::IpAddr;
use std::sync::Arc;

/// The handler that the transport is given.
pub(crate) struct Door(pub(crate) Arc<Gateway>);

impl Handler for Door {
    fn open(&self, request: &Parts) -> Result<TransportGuard, Box<Response>> {
        match self.0.open(Peer::of(request).key()) {
            Ok(place) => Ok(Box::new(place)),
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
        let Some(line) = self.line(conn) else { return };
        tracing::debug!(conn = conn.id(), "connected");
        match line.client.take_at_connect() {
            Some(AtConnect::Proven(proven, cursor)) => {
                let conn = Arc::clone(&line.conn);
                crate::events::start_while_open(conn, crate::on_authenticate::at_connect(line, proven, cursor));
            }
            Some(AtConnect::Failed(refusal)) => crate::on_authenticate::cut(&line, &refusal),
            None => line.gateway.wait_for_somebody(line.client.key),
        }
    }

    fn event(&self, conn: &Arc<Conn>, event: Incoming) {
        // A socket that has been cut gets no more answers, though what it sent before that may still come.
        if let Some(line) = self.line(conn).filter(|_| conn.is_open()) {
            crate::events::take(line, event);
        }
    }

    fn disconnected(&self, conn: &Arc<Conn>, reason: &'static str) {
        let Some(line) = self.line(conn) else { return };
        tracing::debug!(conn = conn.id(), user = line.client.username(), reason, "disconnected");
        // Cut by the transport, for having taken nothing for too long; who is too far behind is counted where that is found.
        if reason == "slow client" {
            metrics::counter!("guild_slow_clients_cut_total").increment(1);
        }
        line.gateway.take_out(line.client.key, line.client.gone());
        line.gateway.closed(line.client.key);
    }
}

impl Door {
    fn line(&self, conn: &Arc<Conn>) -> Option<Line> {
        let client = conn.state::<Client>()?;
        Some(Line { gateway: Arc::clone(&self.0), conn: Arc::clone(conn), client })
    }
}

impl Gateway {
    /// Lets a connection in, as somebody or as nobody yet.
    async fn connect(&self, conn: &Arc<Conn>, auth: &Value) -> Result<(), Refusal> {
        let address = Peer::of(conn.req_parts()).key();
        let place = self.addresses.take(address);
        let shown = match &place {
            Some(_) => self.look_at(address, auth).await,
            None => Err(self.too_many_sockets()),
        };
        let client = Arc::new(Client::new(self, place));
        match shown {
            Ok(Some((proven, cursor))) => client.came_of_connect(AtConnect::Proven(proven, cursor)),
            Ok(None) => {}
            // A stock client that gets a connect_error stays away. This one is let in, told so and cut: then it comes back by itself.
            Err(refusal) if may_pass(refusal.code) => client.came_of_connect(AtConnect::Failed(refusal)),
            Err(refusal) => return Err(refusal),
        }
        self.opened(client.key, conn);
        conn.set_state(client);
        Ok(())
    }

    /// Who it is that shows this, and from where on to replay; `None` where nothing is shown.
    async fn look_at(&self, address: IpAddr, auth: &Value) -> Result<Option<(Proven, Option<String>)>, Refusal> {
        let shown = match auth {
            Value::Null => Authenticate::default(),
            shown => edge::read_json(&shown.to_string())?,
        };
        self.must_not_drain()?;
        let proven = self.prove(address, &shown).await?;
        Ok(proven.map(|proven| (proven, shown.cursor)))
    }
}

/// Whether the same connection may be let in a little later, without anybody having mended anything.
fn may_pass(code: Code) -> bool {
    matches!(code, Code::Busy | Code::RateLimited | Code::Internal)
}

fn connect_error(refusal: Refusal) -> ConnectError {
    tracing::debug!(%refusal, "refused a connection");
    let message = refusal.detail.clone();
    // A refusal has a JSON form; without one the message says it all.
    ConnectError { message, data: serde_json::to_value(refusal).unwrap_or_default() }
}
