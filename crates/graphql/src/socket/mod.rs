//! WebSockets that speak `graphql-transport-ws`: how they are opened and counted; [`session`] is the protocol on one of them.

mod message;
mod session;
mod sockets;
mod token;

pub(crate) use sockets::Sockets;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use contract::{Code, Refusal};
use edge::{Peer, Problem};
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use websocket::HandshakeError;

/// The one subprotocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// Answers a handshake, and serves the socket when it is there.
pub(crate) fn open(sockets: Arc<Sockets>, request: Request) -> Response {
    match try_open(sockets, request) {
        Ok(response) => response,
        Err(NoSocket::OtherVersion) => (StatusCode::UPGRADE_REQUIRED, websocket::other_version()).into_response(),
        Err(NoSocket::Refused(refusal)) => Problem(refusal).into_response(),
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
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await;
        session::serve(&serving, address, stream, stopping).await;
    });
    drop(running);
    let mut answer = (StatusCode::SWITCHING_PROTOCOLS, accepted).into_response();
    answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(answer)
}
