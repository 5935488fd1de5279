//! How long a connection may keep the server waiting for a request.
//!
//! hyper has one clock for two waits, and it starts when the last answer is given: so an idle connection may wait no longer than a head may
//! take. But a proxy keeps idle connections to send requests on. Where the server closes one first, the request that is on its way is lost
//! (the proxy answers 502, or sends it twice). So there are two clocks here: a long one between two requests, longer than any proxy's, and
//! a short one for the head, which starts with the head's first byte.
//!
//! A [`DeadlineStream`] is the stream with these clocks. [`RequestTracker`] tells it when a head is complete and when its answer has been given.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long the server waits for what.
#[derive(Clone, Copy, Debug)]
pub struct RequestDeadlines {
    /// For a request's head, from its first byte on; and for the first byte of a new connection.
    pub head: Duration,
    /// For the first byte of the next request, from the end of the last answer on.
    pub idle: Duration,
}

impl Default for RequestDeadlines {
    /// Idle for 130 s, because by default nginx, ingress-nginx and AWS's load balancer keep an idle connection to a server for 60 s,
    /// Traefik for 90 s and Caddy for 120 s. `scripts/check-deploy` compares it with what the files in deploy/ say.
    fn default() -> Self {
        Self { head: Duration::from_secs(30), idle: Duration::from_secs(130) }
    }
}

/// Which requests of a connection are being answered. The HTTP server tells the stream by it.
#[derive(Clone, Debug, Default)]
pub struct RequestTracker(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    /// How many heads have come to their end.
    heads: AtomicU64,
    /// Whether a request is being answered, or the stream has become something else than HTTP.
    busy: AtomicBool,
    /// The reader of the stream, which is woken when an answer ends. hyper already waits for bytes then and would not poll again by itself,
    /// so the clock would never start.
    reader: AtomicWaker,
}

/// A request that is being answered; it ends when this is dropped.
#[derive(Debug)]
pub struct RequestGuard(Option<Arc<Progress>>);

impl RequestTracker {
    /// A head is complete.
    pub fn begin(&self) -> RequestGuard {
        self.0.heads.fetch_add(1, Ordering::Relaxed);
        self.0.busy.store(true, Ordering::Relaxed);
        RequestGuard(Some(Arc::clone(&self.0)))
    }
}

impl RequestGuard {
    /// Ends when this answer has been given whole. It never ends where the answer turns the connection into a websocket.
    pub fn until_given(mut self, answer: Response) -> http::Response<GuardedBody> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.0 = None;
        }
        answer.map(|body| GuardedBody { body, _guard: self })
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if let Some(progress) = &self.0 {
            progress.busy.store(false, Ordering::Release);
            progress.reader.wake();
        }
    }
}

/// An answer's body. When it ends, so does its request.
pub struct GuardedBody {
    body: Body,
    _guard: RequestGuard,
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails with [`io::ErrorKind::TimedOut`] when a request does not come in time.
#[derive(Debug)]
pub struct DeadlineStream<S> {
    stream: S,
    requests: RequestTracker,
    deadlines: RequestDeadlines,
    /// How many heads were complete at the last read.
    heads: u64,
    /// Whether bytes of the next head have come.
    head_begun: bool,
    /// When the next bytes have to be here.
    deadline: Option<Instant>,
    /// Made at the first wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> DeadlineStream<S> {
    /// The stream with these clocks.
    pub fn new(stream: S, requests: RequestTracker, deadlines: RequestDeadlines) -> Self {
        Self { stream, requests, deadlines, heads: 0, head_begun: false, deadline: None, timer: None }
    }

    /// Whether the next request is awaited.
    fn awaits_request(&mut self) -> bool {
        let heads = self.requests.0.heads.load(Ordering::Relaxed);
        let awaited = !self.requests.0.busy.load(Ordering::Acquire);
        if heads != self.heads || !awaited {
            (self.heads, self.head_begun, self.deadline) = (heads, false, None);
        }
        awaited
    }

    /// When the next bytes of the awaited request have to be here.
    fn deadline(&mut self) -> Instant {
        let first = self.head_begun || self.heads == 0;
        let within = if first { self.deadlines.head } else { self.deadlines.idle };
        *self.deadline.get_or_insert_with(|| Instant::now() + within)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for DeadlineStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        // Registered before the check below: an answer that ends in between wakes this.
        this.requests.0.reader.register(cx.waker());
        if !this.awaits_request() {
            this.timer = None;
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > before && !this.head_begun {
                (this.head_begun, this.deadline) = (true, None);
                this.deadline();
            }
            return read;
        }
        let deadline = this.deadline();
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for DeadlineStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[path = "request_deadlines_tests.rs"]
mod tests;
