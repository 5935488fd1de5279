//! Calls to addresses that users or operators have named: a key set today, webhooks later. Nobody may reach by such an address what only
//! this machine can reach (a database's port, a cloud's metadata). So each call keeps these rules:
//!
//! - https, unless [`FetchRules::insecure`]; certificates are checked against the authorities that the system trusts.
//! - The host is resolved once, every address that it has must be public or in a network of [`FetchRules::allow`], and the connection goes
//!   to an address that was checked. So a name that resolves differently the second time gains nothing.
//! - Nothing is followed: a redirect is an answer like any other, and the caller's failure.
//! - At most [`MOST_BYTES`] of the answer are read, within the time that the caller gives for all of it.
//!
//! There is no pool, no proxy and no cookie: calls are rare, and each has a connection of its own.

mod public;
mod rules;
mod tls;
mod url;

pub use rules::FetchRules;
pub use url::FetchUrl;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How much of an answer's body is read: enough for a key set, and for whatever an endpoint has to say about a delivery.
pub const MOST_BYTES: usize = 64 * 1024;

/// What is asked of an address.
#[derive(Clone, Debug)]
pub struct Fetch<'a> {
    /// Whom.
    pub url: &'a FetchUrl,
    /// How.
    pub method: Method,
    /// With what; `host`, `user-agent` and `connection` are added.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
    /// How long all of it may take.
    pub within: Duration,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status; a redirect is not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its first [`MOST_BYTES`].
    pub body: Bytes,
    /// Whether that is all of it.
    pub whole: bool,
}

/// Why nothing came back: a line for the one who named the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The rules forbid it.
    Forbidden(String),
    /// It cannot be reached, or what it said is not HTTP.
    Unreachable(String),
    /// It took longer than it may.
    TooSlow(Duration),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(why) | Self::Unreachable(why) => f.write_str(why),
            Self::TooSlow(within) => write!(f, "it did not answer within {} s", within.as_secs_f64()),
        }
    }
}

impl std::error::Error for FetchError {}

/// Calls addresses by these rules.
#[derive(Debug)]
pub struct Fetcher {
    rules: FetchRules,
}

impl Fetcher {
    /// One with these rules.
    pub fn new(rules: FetchRules) -> Self {
        Self { rules }
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// Nothing came back. Whatever came back is an answer, with any status.
    pub fn fetch<'a>(&'a self, fetch: Fetch<'a>) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        // Boxed, so that the HTTP client is compiled in this crate and not again in each that calls it.
        Box::pin(async move {
            let within = fetch.within;
            tokio::time::timeout(within, self.call(fetch)).await.unwrap_or(Err(FetchError::TooSlow(within)))
        })
    }

    async fn call(&self, fetch: Fetch<'_>) -> Result<Fetched, FetchError> {
        let url = fetch.url;
        url.fits(&self.rules).map_err(FetchError::Forbidden)?;
        let found = tokio::net::lookup_host((url.host(), url.port())).await;
        let found = found.map_err(|error| FetchError::Unreachable(format!("{} cannot be resolved: {error}", url.host())))?;
        let addresses = self.checked(url, found.collect())?;
        let stream = connect(&addresses, fetch.within).await?;
        let request = request(&fetch)?;
        match url.is_https() {
            true => exchange(tls::wrap(stream, url.host()).await.map_err(FetchError::Unreachable)?, request).await,
            false => exchange(stream, request).await,
        }
    }

    /// These addresses, if there are any and every one may be called.
    fn checked(&self, url: &FetchUrl, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, FetchError> {
        if let Some(inner) = addresses.iter().find(|address| !self.rules.permits(address.ip())) {
            return Err(FetchError::Forbidden(format!("{} is at {}, which is no public address", url.host(), inner.ip())));
        }
        if addresses.is_empty() {
            return Err(FetchError::Unreachable(format!("{} has no address", url.host())));
        }
        Ok(addresses)
    }
}

/// A connection to the first of these addresses that takes one. Each has its share of the time, so that one that is silent does not keep
/// the others from being tried.
async fn connect(addresses: &[SocketAddr], within: Duration) -> Result<TcpStream, FetchError> {
    let share = within / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = String::new();
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = format!("{address} cannot be reached: {error}"),
            Err(_) => last = format!("{address} does not answer"),
        }
    }
    Err(FetchError::Unreachable(last))
}

fn request(fetch: &Fetch<'_>) -> Result<Request<Full<Bytes>>, FetchError> {
    let mut request = Request::new(Full::new(fetch.body.clone()));
    *request.method_mut() = fetch.method.clone();
    *request.uri_mut() = fetch.url.path();
    *request.headers_mut() = fetch.headers.clone();
    let host = HeaderValue::from_str(fetch.url.authority()).map_err(|error| FetchError::Unreachable(error.to_string()))?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(concat!("guild/", env!("CARGO_PKG_VERSION"))));
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Fetched, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new().max_buf_size(MOST_BYTES).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async move { read(sender.send_request(request).await.map_err(broken)?).await });
    tokio::select! {
        done = &mut answer => return done,
        _ = &mut connection => {}
    }
    // The other side has closed; what it sent before that is still to be read.
    answer.await
}

async fn read(answer: hyper::Response<hyper::body::Incoming>) -> Result<Fetched, FetchError> {
    let (head, mut body) = answer.into_parts();
    let mut read = BytesMut::new();
    let mut whole = true;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let room = MOST_BYTES - read.len();
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            whole = false;
            break;
        }
    }
    Ok(Fetched { status: head.status, headers: head.headers, body: read.freeze(), whole })
}

fn broken(error: hyper::Error) -> FetchError {
    FetchError::Unreachable(format!("the exchange with it failed: {error}"))
}

#[cfg(test)]
mod tests;
