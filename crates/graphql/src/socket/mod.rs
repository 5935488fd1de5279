//! WebSockets that speak `graphql-transport-ws`: how they are opened, counted and closed; [`session`] is what is said on one.

mod message;
mod session;
mod token;

use crate::http::{Settings, cannot_open};
use crate::schema::Schema;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bus::Bus;
use contract::{Clock, Code, Refusal};
use edge::{Admission, OpenRate, Peer, SocketSlots};
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use websocket::HandshakeError;

/// The one subprotocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// How long clients may take to hear that the server stops.
const GOODBYE: Duration = Duration::from_secs(2);

/// What all sockets share.
pub(crate) struct Sockets {
    pub bus: Bus,
    pub schema: Schema,
    pub settings: Settings,
    pub clock: Clock,
    pub admission: Arc<Admission>,
    slots: Arc<SocketSlots>,
    open_rate: OpenRate,
    /// True once the server stops.
    stopping: watch::Sender<bool>,
    running: Mutex<JoinSet<()>>,
}

impl Sockets {
    pub(crate) fn new(bus: Bus, schema: Schema, settings: Settings, clock: Clock, admission: Arc<Admission>) -> Arc<Self> {
        let slots = SocketSlots::new(settings.sockets_per_address);
        let open_rate = OpenRate::new(settings.sockets_per_address, clock.clone());
        Arc::new(Self {
            bus,
            schema,
            settings,
            clock,
            admission,
            slots,
            open_rate,
            stopping: watch::Sender::new(false),
            running: Mutex::default(),
        })
    }

    /// See [`crate::Graphql::close`].
    pub(crate) async fn close(&self) {
        self.stopping.send_replace(true);
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        if tokio::time::timeout(GOODBYE, async { while running.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("some GraphQL clients did not take their goodbye in time");
        }
    }
}

/// Answers a handshake, and serves the socket when it is there.
pub(crate) fn open(sockets: Arc<Sockets>, request: Request) -> Response {
    match try_open(sockets, request) {
        Ok(response) => response,
        Err(NoSocket::OtherVersion) => (StatusCode::UPGRADE_REQUIRED, websocket::other_version()).into_response(),
        Err(NoSocket::Refused(refusal)) => cannot_open(refusal),
    }
}

/// Why there is no socket.
enum NoSocket {
    /// The client speaks another version of the WebSocket protocol.
    OtherVersion,
    Refused(Refusal),
}

impl From<Refusal> for NoSocket {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn try_open(sockets: Arc<Sockets>, request: Request) -> Result<Response, NoSocket> {
    let headers = request.headers();
    let bad = |detail: &str| Refusal::new(Code::InvalidRequest, detail);
    let accepted = websocket::accept(headers).map_err(|error| match error {
        HandshakeError::NoUpgrade => bad("this is no WebSocket handshake: the header Connection has no \"upgrade\"").into(),
        HandshakeError::OtherVersion => NoSocket::OtherVersion,
        HandshakeError::BadKey => bad("the header Sec-WebSocket-Key has to be the base64 of 16 bytes, once").into(),
    })?;
    if !websocket::has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        return Err(bad("ask for the WebSocket subprotocol graphql-transport-ws").into());
    }
    if *sockets.stopping.borrow() {
        return Err(Refusal::busy("the server restarts; reconnect").into());
    }
    let (mut parts, _) = request.into_parts();
    let address = Peer::of(&parts).key();
    let slot = sockets.slots.take(address).ok_or_else(|| {
        metrics::counter!("guild_rate_limited_total", "what" => "sockets").increment(1);
        Refusal::rate_limited("too many sockets from this address", Duration::from_secs(1))
    })?;
    sockets.open_rate.take(address)?;
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(|| bad("this connection cannot become a WebSocket"))?;
    let config = match sockets.settings.frame_bytes {
        0 => WebSocketConfig::default(),
        bytes => WebSocketConfig::default().max_message_size(Some(bytes)).max_frame_size(Some(bytes)),
    };
    let serving = Arc::clone(&sockets);
    let stopping = sockets.stopping.subscribe();
    let mut running = sockets.running.lock().unwrap_or_else(PoisonError::into_inner);
    while running.try_join_next().is_some() {}
    running.spawn(async move {
        let _slot = slot;
        // A client that has gone before its upgrade leaves nothing behind.
        let Ok(stream) = upgrade.await else { return };
        let wire = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await;
        session::serve(&serving, address, wire, stopping).await;
    });
    drop(running);
    let mut answer = (StatusCode::SWITCHING_PROTOCOLS, accepted).into_response();
    answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(answer)
}
