//! The HTTP endpoint before the engine: it bounds polling bodies, counts polling answers, and opens websockets over a
//! [`WebSocketTransport`].

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use engineioxide::{ProtocolVersion, service::EngineIoService, socket::Sid};
use http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tower::Service;
use websocket::HandshakeError;

use crate::{
    config::ENGINE_MAX_PAYLOAD,
    connection_table::ConnectionTable,
    link::{Attached, Link},
    websocket_transport::WebSocketTransport,
};

/// Everything that a request needs.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) engine: EngineIoService<ConnectionTable>,
    pub(crate) table: Arc<ConnectionTable>,
}

/// Answers one request, whichever it is.
pub(crate) async fn serve(State(endpoint): State<Endpoint>, request: Request) -> Response {
    let query = Query::read(request.uri().query().unwrap_or_default());
    if query.sid.is_none() && endpoint.table.is_closing() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if query.websocket && query.known_version && request.method() == Method::GET {
        return endpoint.upgrade(request, query.sid);
    }
    let link = match &query.sid {
        Some(Ok(sid)) => endpoint.table.find(*sid),
        _ => None,
    };
    match *request.method() {
        Method::POST => endpoint.post(request, link).await,
        Method::GET => match link {
            Some(link) => {
                let max_answer = endpoint.table.config.max_burst;
                without_close(counted(endpoint.pass(request).await, &link), &link, max_answer).await
            }
            None if query.sid.is_none() => endpoint.open(request, query.plain_polling).await,
            None => endpoint.pass(request).await,
        },
        _ => endpoint.pass(request).await,
    }
}

/// What the query says. It reads the same as the engine does, first match and all, so that both see the same request.
struct Query {
    known_version: bool,
    websocket: bool,
    /// Polling of the known version, and nothing else that the engine looks at.
    plain_polling: bool,
    /// An `Err` is no session's id.
    sid: Option<Result<Sid, ()>>,
}

impl Query {
    fn read(query: &str) -> Self {
        let value = |key: &str| {
            let pair = query.split('&').find(|pair| pair.starts_with(key))?;
            pair.split('=').nth(1)
        };
        let sid = query.split('&').find_map(|pair| pair.strip_prefix("sid="));
        let known_version = value("EIO=").and_then(|it| it.parse::<ProtocolVersion>().ok()) == Some(ProtocolVersion::V4);
        Query {
            known_version,
            websocket: value("transport=") == Some("websocket"),
            plain_polling: known_version && value("transport=") == Some("polling") && value("b64").is_none(),
            sid: sid.map(|sid| sid.parse().map_err(drop)),
        }
    }
}

impl Endpoint {
    /// Lets the engine answer.
    async fn pass(mut self, mut request: Request) -> Response {
        // With it, the engine could open a websocket that nobody could stop.
        request.extensions_mut().remove::<OnUpgrade>();
        let answer: Result<_, Infallible> = self.engine.call(request).await;
        match answer {
            Ok(answer) => answer.map(Body::new),
            Err(never) => match never {},
        }
    }

    /// A link for a new session, unless the handler refuses it.
    fn link(&self, request: &Parts) -> Result<Arc<Link>, Box<Response>> {
        let guard = self.table.handler.open(request)?;
        Ok(Arc::new(Link::new(&self.table.config, guard)))
    }

    /// Opens a polling session.
    async fn open(self, request: Request, plain: bool) -> Response {
        let (mut parts, body) = request.into_parts();
        match self.link(&parts) {
            Ok(link) => parts.extensions.insert(Attached(link)),
            Err(refusal) => return *refusal,
        };
        if plain {
            forget_head(&mut parts, Uri::from_static("/?EIO=4&transport=polling"));
        }
        let max_payload = self.table.config.max_payload;
        told_the_bound(self.pass(Request::from_parts(parts, body)).await, max_payload).await
    }

    /// Takes a whole polling body. One that is too big closes its session, and so does one that overlaps another, as in the reference server.
    async fn post(self, request: Request, link: Option<Arc<Link>>) -> Response {
        let (parts, body) = request.into_parts();
        let Some(link) = link else {
            // The engine says what is wrong; a body without a session is not read.
            return self.pass(Request::from_parts(parts, Body::empty())).await;
        };
        let Some(_posting) = link.begin_post() else {
            link.close("transport error");
            return bad_request("3", "Bad request");
        };
        let body = tokio::select! {
            body = to_bytes(body, self.table.config.max_payload) => body,
            () = link.over() => return bad_request("1", "Session ID unknown"),
        };
        match body {
            Ok(bytes) => self.pass(Request::from_parts(parts, bytes.into())).await,
            Err(_) => {
                link.close("payload too large");
                StatusCode::PAYLOAD_TOO_LARGE.into_response()
            }
        }
    }

    /// Answers the websocket handshake, and hands the connection to the engine when it is there.
    fn upgrade(mut self, mut request: Request, sid: Option<Result<Sid, ()>>) -> Response {
        let accepted = match websocket::accept(request.headers()) {
            Ok(accepted) => accepted,
            Err(error) => return refused(error),
        };
        let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
            return bad_request("3", "Bad request");
        };
        let (mut parts, _) = request.into_parts();
        let link = match sid {
            None => match self.link(&parts) {
                Ok(link) => {
                    parts.extensions.insert(Attached(Arc::clone(&link)));
                    forget_head(&mut parts, Uri::from_static("/?EIO=4&transport=websocket"));
                    link
                }
                Err(refusal) => return *refusal,
            },
            Some(sid) => match sid.ok().and_then(|sid| self.table.find(sid)) {
                None => return bad_request("1", "Session ID unknown"),
                Some(link) if !link.begin_upgrade() => return bad_request("3", "Bad request"),
                Some(link) => link,
            },
        };
        tokio::spawn(async move {
            // A client that has gone before its upgrade leaves nothing behind: a session is made after it.
            let Ok(stream) = upgrade.await else {
                link.no_upgrade();
                return;
            };
            let transport = WebSocketTransport::new(TokioIo::new(stream), link);
            let request = http::Request::from_parts(parts, ());
            if let Err(error) = self.engine.call((transport, request)).await {
                tracing::debug!(%error, "the engine refused a websocket");
            }
        });
        (StatusCode::SWITCHING_PROTOCOLS, accepted).into_response()
    }
}

/// Forgets the headers and the URI of the request that opens a transport. The engine keeps the request as long as the session, and they would
/// keep the whole buffer that they were read into.
fn forget_head(parts: &mut Parts, instead: Uri) {
    parts.headers = HeaderMap::new();
    parts.uri = instead;
}

/// What a client is answered whose handshake is refused.
fn refused(error: HandshakeError) -> Response {
    let bad = bad_request("3", "Bad request");
    match error {
        HandshakeError::OtherVersion => (StatusCode::UPGRADE_REQUIRED, websocket::other_version(), bad).into_response(),
        HandshakeError::NoUpgrade | HandshakeError::BadKey => bad,
    }
}

/// An error in the reference server's form.
fn bad_request(code: &str, message: &str) -> Response {
    let body = format!(r#"{{"code":"{code}","message":"{message}"}}"#);
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, json, body).into_response()
}

/// Counts the bytes of a polling answer as written.
fn counted(answer: Response, link: &Link) -> Response {
    let length = answer.headers().get(header::CONTENT_LENGTH);
    if let Some(bytes) = length.and_then(|it| it.to_str().ok()?.parse().ok())
        && link.is_polling()
    {
        link.backpressure.wrote(bytes);
    }
    answer
}

/// Takes the engine's CLOSE out of an answer to a client that is hung up on. Where nothing else is in it, the answer is that the session is
/// unknown, as it is from here on.
async fn without_close(answer: Response, link: &Link, max_answer: usize) -> Response {
    /// What stands between two packets, and Engine.IO's CLOSE.
    const SEPARATOR: u8 = 0x1e;
    const CLOSE: &[u8] = b"1";
    if !link.backpressure.is_hung_up() || answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // One packet may be over the bound, and their separators count on top of it.
    let Ok(body) = to_bytes(body, max_answer.saturating_mul(4)).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let body = match body.strip_suffix(CLOSE) {
        Some([]) => return bad_request("1", "Session ID unknown"),
        Some([rest @ .., SEPARATOR]) => Bytes::copy_from_slice(rest),
        _ => body,
    };
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, body.into())
}

/// Puts the true bound into the answer that opens a polling session, where the engine puts its own; stock clients cut their
/// polling bodies by it.
async fn told_the_bound(answer: Response, max_payload: usize) -> Response {
    /// Bytes of an open packet, with plenty to spare.
    const OPEN_PACKET: usize = 4096;
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, OPEN_PACKET).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let body = String::from_utf8_lossy(&body).replacen(
        &format!(r#""maxPayload":{ENGINE_MAX_PAYLOAD}"#),
        &format!(r#""maxPayload":{max_payload}"#),
        1,
    );
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, body.into())
}
