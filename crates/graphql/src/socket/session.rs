//! One socket from its first message to its last. A result is made only when the client takes it, so nothing piles up for a slow client. A
//! client that takes nothing is cut.

use super::message::{self, Close, FromClient};
use super::sockets::Sockets;
use super::token::Token;
use crate::answer::{self, Body};
use crate::budget::Budget;
use crate::refuse::server_error;
use crate::request::{Admitted, May};
use crate::request_context::RequestContext;
use async_graphql::Response;
use contract::{Code, Refusal};
use futures_util::stream::{AbortHandle, BoxStream, SelectAll, abortable};
use futures_util::{SinkExt, Stream, StreamExt};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a client may take to authenticate.
const INIT: Duration = Duration::from_secs(10);
/// How often a quiet client is pinged, and after how much silence it is gone.
const PING: Duration = Duration::from_secs(25);
const SILENCE: Duration = Duration::from_secs(60);
/// How long a client may need to take one message.
const TAKE: Duration = Duration::from_secs(30);

/// What an operation gives: a result, or its end.
type Output = (String, Option<Body>);

/// Serves one socket.
pub(super) async fn serve<S>(sockets: &Sockets, address: IpAddr, mut stream: WebSocketStream<S>, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    metrics::gauge!("guild_graphql_sockets").increment(1);
    let close = talk(sockets, address, &mut stream, stopping).await;
    if close.is_none() {
        // Reading on answers a client that has said goodbye (RFC 6455, section 5.5.1). For a client that is gone it does no harm.
        let end = async { while stream.next().await.is_some_and(|heard| heard.is_ok()) {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), end).await;
    }
    if let Some(Close { code, reason }) = close {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.as_ref().into() };
        let goodbye = async {
            stream.close(Some(frame)).await?;
            // Until the client has closed, too.
            while stream.next().await.is_some_and(|heard| heard.is_ok()) {}
            Ok::<_, Error>(())
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
    metrics::gauge!("guild_graphql_sockets").decrement(1);
}

/// Talks until there is a reason to close; `None` where the client has gone.
async fn talk<S>(sockets: &Sockets, address: IpAddr, stream: &mut WebSocketStream<S>, mut stopping: watch::Receiver<bool>) -> Option<Close>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let token = tokio::select! {
        token = tokio::time::timeout(INIT, meet(sockets, address, stream)) => match token {
            Ok(Ok(token)) => token,
            Ok(Err(close)) => return close,
            Err(_) => return Some(Close::new(4408, "Connection initialisation timeout")),
        },
        _ = stopping.wait_for(|stopping| *stopping) => return Some(restarts()),
    };
    let budget = Arc::new(Budget::new(&sockets.settings.limits));
    let context = RequestContext { bus: sockets.bus.clone(), admission: Arc::clone(&sockets.admission), who: token.caller(), budget };
    let turn = Arc::new(Semaphore::new(1));
    let mut session = Session { sockets, context, outputs: SelectAll::new(), running: HashMap::new(), turn };
    tokio::select! {
        close = session.run(stream) => close,
        () = token.ended() => Some(Close::new(4401, "unauthenticated: this token is not valid any more; log in again")),
        _ = stopping.wait_for(|stopping| *stopping) => Some(restarts()),
    }
}

fn restarts() -> Close {
    Close::new(1012, "the server restarts; reconnect")
}

/// Waits for `connection_init`, and answers it.
async fn meet<S>(sockets: &Sockets, address: IpAddr, stream: &mut WebSocketStream<S>) -> Result<Token, Option<Close>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        match hear(stream.next().await)? {
            Some(FromClient::ConnectionInit { payload }) => {
                let payload = payload.unwrap_or_default();
                let authorization = payload.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
                let authorization = authorization.and_then(|(_, value)| value.as_str());
                let token = Token::check(sockets, address, authorization).await.map_err(|refusal| {
                    // After the one code clients try again, after the other they do not.
                    let code = if matches!(refusal.code, Code::Busy | Code::RateLimited | Code::Internal) { 1013 } else { 4403 };
                    Some(Close::new(code, refusal.to_string()))
                })?;
                tell(stream, message::ack()).await?;
                return Ok(token);
            }
            Some(FromClient::Ping {}) => tell(stream, message::pong()).await?,
            Some(FromClient::Subscribe { .. }) => return Err(Some(Close::new(4401, "Unauthorized: send connection_init first"))),
            Some(FromClient::Pong {} | FromClient::Complete { .. }) | None => {}
        }
    }
}

/// A frame as a message; `None` for what is the transport's own business.
fn hear(heard: Option<Result<Message, Error>>) -> Result<Option<FromClient>, Option<Close>> {
    match heard {
        Some(Ok(Message::Text(text))) => edge::read_json(&text).map(Some).map_err(|refusal| Some(Close::new(4400, refusal.detail))),
        Some(Ok(Message::Binary(_))) => Err(Some(Close::new(4400, "messages are JSON in text frames"))),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Err(Error::Capacity(error))) => Err(Some(Close::new(1009, error.to_string()))),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(None),
    }
}

async fn tell<S>(stream: &mut WebSocketStream<S>, text: String) -> Result<(), Option<Close>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    send(stream, Message::text(text)).await
}

async fn refuse<S>(stream: &mut WebSocketStream<S>, id: &str, refusal: &Refusal) -> Result<(), Option<Close>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    tell(stream, message::result(id, answer::body(Response::from_errors(vec![server_error(refusal)])))).await
}

async fn send<S>(stream: &mut WebSocketStream<S>, message: Message) -> Result<(), Option<Close>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    match tokio::time::timeout(TAKE, stream.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

/// A socket whose user is known.
struct Session<'a> {
    sockets: &'a Sockets,
    /// Each operation has a budget of its own.
    context: RequestContext,
    outputs: SelectAll<BoxStream<'static, Output>>,
    running: HashMap<String, AbortHandle>,
    /// Queries are answered one after the other, as those of a batch are, so that no more than one answer is in memory.
    turn: Arc<Semaphore>,
}

impl Session<'_> {
    async fn run<S>(&mut self, stream: &mut WebSocketStream<S>) -> Option<Close>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut heard_at = Instant::now();
        let mut pings = tokio::time::interval_at(Instant::now() + PING, PING);
        loop {
            let outcome = tokio::select! {
                heard = stream.next() => {
                    heard_at = Instant::now();
                    match hear(heard) {
                        Ok(Some(message)) => self.take(stream, message).await,
                        Ok(None) => Ok(()),
                        Err(close) => Err(close),
                    }
                }
                Some((id, output)) = self.outputs.next(), if !self.outputs.is_empty() => self.pass_on(stream, &id, output).await,
                _ = pings.tick() => {
                    if heard_at.elapsed() > SILENCE { Err(None) } else { send(stream, Message::Ping(bytes::Bytes::new())).await }
                }
            };
            if let Err(close) = outcome {
                return close;
            }
        }
    }

    async fn take<S>(&mut self, stream: &mut WebSocketStream<S>, message: FromClient) -> Result<(), Option<Close>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match message {
            FromClient::ConnectionInit { .. } => Err(Some(Close::new(4429, "Too many initialisation requests"))),
            FromClient::Ping {} => tell(stream, message::pong()).await,
            FromClient::Pong {} => Ok(()),
            FromClient::Complete { id } => {
                if let Some(stop) = self.running.remove(&id) {
                    stop.abort();
                }
                Ok(())
            }
            FromClient::Subscribe { id, .. } if self.running.contains_key(&id) => {
                let id: String = id.chars().take(64).collect();
                Err(Some(Close::new(4409, format!("Subscriber for {id} already exists"))))
            }
            FromClient::Subscribe { id, payload } => {
                let limits = &self.sockets.settings.limits;
                if self.running.len() >= limits.subscriptions {
                    let most = limits.subscriptions;
                    let detail = format!("at most {most} operations at once on one socket; complete one first");
                    return refuse(stream, &id, &Refusal::rate_limited(detail, Duration::from_secs(1))).await;
                }
                if let Err(refusal) = self.context.pay_more(1) {
                    return refuse(stream, &id, &refusal).await;
                }
                match payload.admit(limits, May::Change) {
                    Err(refused) => tell(stream, message::result(&id, answer::body(*refused))).await,
                    Ok(admitted) => {
                        self.start(id, self.execute(admitted));
                        Ok(())
                    }
                }
            }
        }
    }

    /// The results of an operation.
    fn execute(&self, Admitted { request, subscribes }: Admitted) -> BoxStream<'static, Body> {
        let limits = &self.sockets.settings.limits;
        let budget = Arc::new(if subscribes { Budget::of_event(limits) } else { Budget::new(limits) });
        let context = RequestContext { budget, ..self.context.clone() };
        let schema = self.sockets.schema.clone();
        if subscribes {
            return schema.execute_stream(request.data(context)).map(answer::event).boxed();
        }
        let turn = Arc::clone(&self.turn);
        let result = async move {
            // The semaphore is never closed.
            let _turn = turn.acquire().await;
            answer::body(context.checked(schema.execute(request.data(context.clone())).await))
        };
        futures_util::stream::once(result).boxed()
    }

    fn start(&mut self, id: String, results: impl Stream<Item = Body> + Send + 'static) {
        let name = id.clone();
        let end = futures_util::stream::once(std::future::ready(None));
        let (output, stop) = abortable(results.map(Some).chain(end).map(move |output| (name.clone(), output)));
        self.running.insert(id, stop);
        self.outputs.push(output.boxed());
    }

    async fn pass_on<S>(&mut self, stream: &mut WebSocketStream<S>, id: &str, output: Option<Body>) -> Result<(), Option<Close>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        // The client may have completed it meanwhile.
        if !self.running.contains_key(id) {
            return Ok(());
        }
        match output {
            Some(body) => {
                // An error is the last result of an operation.
                if body.why_not_run().is_some()
                    && let Some(stop) = self.running.remove(id)
                {
                    stop.abort();
                }
                tell(stream, message::result(id, body)).await
            }
            None => {
                self.running.remove(id);
                tell(stream, message::complete(id)).await
            }
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
