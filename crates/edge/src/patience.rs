//! How long a connection may keep the server waiting for a request.
//!
//! hyper has one clock for both, which starts when the last answer is given: an idle connection may then wait no longer than a head may
//! take. But a proxy keeps idle connections to send requests on, and where the server closes one first, the request that is just on its
//! way is lost (the proxy answers 502, or sends it twice). So there are two clocks here: one for the wait between two requests, which is
//! longer than any proxy's, and a shorter one for the head, which starts with the head's first byte.
//!
//! A [`Line`] is the stream with these clocks; it is told by [`Turns`] when a head is complete and when its answer has been given.

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

/// For how long what is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a request's head, from its first byte; and for the first byte of a new connection, which was opened to ask something.
    pub head: Duration,
    /// For the next request's first byte, from the last answer's end.
    pub idle: Duration,
}

impl Default for Patience {
    /// Idle for 130 s, because by default nginx, ingress-nginx and AWS's load balancer keep an idle connection to a server for 60 s,
    /// Traefik for 90 s and Caddy for 120 s. `scripts/check-deploy` compares it with what the files in deploy/ say.
    fn default() -> Self {
        Self { head: Duration::from_secs(30), idle: Duration::from_secs(130) }
    }
}

/// What a connection's stream is told by whoever answers its requests.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    /// How many heads have come to their end.
    heads: AtomicU64,
    /// Whether one of them is being answered, or the stream speaks no HTTP any more.
    busy: AtomicBool,
    /// Who reads from the stream. An answer's end is told there: hyper, which waits for bytes already, would not ask again by itself, and
    /// nobody would start the clock.
    reader: AtomicWaker,
}

/// A request that is being answered; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn(Option<Arc<Told>>);

impl Turns {
    /// A head is complete.
    pub fn begin(&self) -> Turn {
        self.0.heads.fetch_add(1, Ordering::Relaxed);
        self.0.busy.store(true, Ordering::Relaxed);
        Turn(Some(Arc::clone(&self.0)))
    }
}

impl Turn {
    /// Ends when this answer has been given whole; never, where it makes something else of the connection (a websocket).
    pub fn until_given(mut self, answer: Response) -> http::Response<Answer> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.0 = None;
        }
        answer.map(|body| Answer { body, _turn: self })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(told) = &self.0 {
            told.busy.store(false, Ordering::Release);
            told.reader.wake();
        }
    }
}

/// An answer's body, with the turn that it ends.
pub struct Answer {
    body: Body,
    _turn: Turn,
}

impl http_body::Body for Answer {
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

/// A stream that fails with [`io::ErrorKind::TimedOut`] when a request is waited for too long.
#[derive(Debug)]
pub struct Line<S> {
    stream: S,
    turns: Turns,
    patience: Patience,
    /// How many heads were complete when it was last read from.
    heads: u64,
    /// Whether bytes of the next head have come.
    begun: bool,
    /// Until when the bytes that are waited for have to come.
    until: Option<Instant>,
    /// Made when there is something to wait for.
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> Line<S> {
    /// The stream with these clocks.
    pub fn new(stream: S, turns: Turns, patience: Patience) -> Self {
        Self { stream, turns, patience, heads: 0, begun: false, until: None, late: None }
    }

    /// Whether a request is waited for.
    fn waits(&mut self) -> bool {
        let heads = self.turns.0.heads.load(Ordering::Relaxed);
        let waits = !self.turns.0.busy.load(Ordering::Acquire);
        if heads != self.heads || !waits {
            (self.heads, self.begun, self.until) = (heads, false, None);
        }
        waits
    }

    /// Until when it is waited, from now on, for a request's next bytes.
    fn until(&mut self) -> Instant {
        let first = self.begun || self.heads == 0;
        let patience = if first { self.patience.head } else { self.patience.idle };
        *self.until.get_or_insert_with(|| Instant::now() + patience)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut line.stream).poll_read(cx, buffer);
        // Before it is looked whether an answer is under way: one that ends meanwhile wakes this.
        line.turns.0.reader.register(cx.waker());
        if !line.waits() {
            line.late = None;
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > before && !line.begun {
                (line.begun, line.until) = (true, None);
                line.until();
            }
            return read;
        }
        let until = line.until();
        let late = line.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if late.deadline() != until {
            late.as_mut().reset(until);
        }
        late.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
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
#[path = "patience_tests.rs"]
mod tests;
