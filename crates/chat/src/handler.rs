//! Where the transport's words become this crate's: a connection comes, speaks, and goes.

use crate::client::{AtConnect, Client, Standing};
use crate::gateway::Gateway;
use crate::line::Line;
use crate::outbound::cut_for;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use contract::wire::Authenticate;
use contract::{Code, Refusal};
use edge::{Peer, Problem};
use serde_json::Value;
use socketio::{BoxFuture, Conn, ConnectError, Handler, Incoming, Place};
use std::sync::Arc;
use std::time::Duration;

/// The handler that the transport is given.
pub(crate) struct Door(pub(crate) Arc<Gateway>);

impl Handler for Door {
    fn open(&self, request: &Parts) -> Result<Place, Box<Response>> {
        match self.0.transports.take(Peer::of(request).key()) {
            Some(place) => Ok(Box::new(place)),
            None => {
                tracing::debug!("refused a transport: its address has too many");
                Err(Box::new(Problem(self.0.too_many_sockets()).into_response()))
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
                crate::events::start(Box::pin(crate::on_authenticate::at_connect(line, proven, cursor)));
            }
            Some(AtConnect::Failed(refusal)) => crate::on_authenticate::cut(&line, &refusal),
            None => drop(tokio::spawn(cut_unless_authenticated(line))),
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
        let place = self.addresses.take(address).ok_or_else(|| self.too_many_sockets())?;
        let client = Arc::new(Client::new(self, place));
        let shown = match auth {
            Value::Null => Authenticate::default(),
            shown => edge::read_json(&shown.to_string())?,
        };
        let proven = match self.must_not_drain() {
            Ok(()) => self.prove(address, &shown).await,
            Err(restarting) => Err(restarting),
        };
        match proven {
            Ok(Some(proven)) => client.came_of_connect(AtConnect::Proven(proven, shown.cursor)),
            Ok(None) => {}
            // A stock client that gets a connect_error stays away. This one is let in, told so and cut: then it comes back by itself.
            Err(refusal) if refusal.code == Code::Busy => client.came_of_connect(AtConnect::Failed(refusal)),
            Err(refusal) => return Err(refusal),
        }
        self.opened(client.key, conn);
        conn.set_state(client);
        Ok(())
    }

    fn too_many_sockets(&self) -> Refusal {
        metrics::counter!("guild_rate_limited_total", "what" => "sockets").increment(1);
        let most = self.settings.sockets_per_address;
        Refusal::rate_limited(format!("this address has {most} sockets, which is the most; close one"), Duration::from_secs(1))
    }
}

/// A connection that is nobody's is cut after a while.
async fn cut_unless_authenticated(line: Line) {
    tokio::time::sleep(line.gateway.settings.authenticate_within).await;
    loop {
        match line.client.standing() {
            Standing::Settled => return,
            Standing::Nobody => {
                let refusal = Refusal::new(Code::Unauthenticated, "nobody has authenticated on this socket in time; log in, then connect");
                return cut_for(&*line.conn, &refusal);
            }
            // Its time is up unless this one succeeds.
            Standing::Authenticating => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

fn connect_error(refusal: Refusal) -> ConnectError {
    tracing::debug!(%refusal, "refused a connection");
    let message = refusal.detail.clone();
    // A refusal has a JSON form; without one the message says it all.
    ConnectError { message, data: serde_json::to_value(refusal).unwrap_or_default() }
}
