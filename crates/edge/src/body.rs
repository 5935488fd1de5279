//! The bound on request bodies, whether or not their length was announced.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How many times the bound is read and thrown away before the line is given up: a client that is still sending when the answer comes
/// often never sees it.
const PATIENCE: u64 = 8;

/// A body that fails with [`TooLarge`] once it has more than so many bytes.
pub(crate) struct Bounded {
    inner: Body,
    left: u64,
    /// What may still be thrown away; `None` while the body is within its bound.
    drain: Option<u64>,
    bound: u64,
}

impl Bounded {
    pub(crate) fn new(inner: Body, bound: u64) -> Self {
        Self { inner, left: bound, drain: None, bound }
    }

    /// Reads on after the refusal is certain, so that the client gets to see it.
    pub(crate) async fn throw_away(inner: Body, bound: u64) {
        let body = Self { inner, left: 0, drain: Some(bound.saturating_mul(PATIENCE)), bound };
        let _ = http_body_util::BodyExt::collect(body).await;
    }
}

/// The body had more bytes than are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge(pub(crate) u64);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a request body may have {} bytes", self.0)
    }
}

impl std::error::Error for TooLarge {}

impl TooLarge {
    /// The `TooLarge` that an error stems from, if it does.
    pub(crate) fn within(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut at = Some(error);
        while let Some(error) = at {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            at = error.source();
        }
        None
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            };
            let over = self.drain.is_some().then(|| axum::Error::new(TooLarge(self.bound)));
            let frame = match (frame, over) {
                (None | Some(Err(_)), Some(over)) => return Poll::Ready(Some(Err(over))),
                (None, None) => return Poll::Ready(None),
                (Some(Err(error)), None) => return Poll::Ready(Some(Err(error))),
                (Some(Ok(frame)), _) => frame,
            };
            let length = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            match self.drain {
                None if length <= self.left => {
                    self.left -= length;
                    return Poll::Ready(Some(Ok(frame)));
                }
                None => self.drain = Some(self.bound.saturating_mul(PATIENCE)),
                Some(left) if length <= left => self.drain = Some(left - length),
                Some(_) => return Poll::Ready(Some(Err(axum::Error::new(TooLarge(self.bound))))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.drain.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn body(pieces: &'static [&'static str]) -> Body {
        Body::from_stream(futures_util::stream::iter(pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece))))
    }

    #[tokio::test]
    async fn a_body_is_cut_by_its_bytes_and_not_by_what_was_announced() {
        let whole = Body::new(Bounded::new(body(&["ab", "c"]), 3)).collect().await.unwrap().to_bytes();
        assert_eq!(whole, "abc");
        let error = Body::new(Bounded::new(body(&["ab", "cd"]), 3)).collect().await.unwrap_err();
        assert_eq!(TooLarge::within(&error).unwrap().0, 3);
    }

    #[tokio::test]
    async fn patience_ends() {
        let mut bounded = Bounded::new(body(&["1234567890"; 1_000]), 10);
        while let Some(frame) = bounded.frame().await {
            if frame.is_err() {
                break;
            }
        }
        let rest = bounded.inner.collect().await.unwrap().to_bytes().len();
        assert!(rest > 9_000, "{rest}");
    }
}
