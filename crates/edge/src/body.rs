//! Request bodies: the bounds on them (how many bytes, whether or not their length was announced, and how long they may take), and what
//! can be told of one that is no JSON text.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// How many times the bound is read and thrown away before the connection is given up: a client that is still sending when the answer comes
/// often never sees it.
const DRAIN_BOUNDS: u64 = 8;

/// How long a body may take, as long as a request's head may. A client that sends a byte a minute must not hold a connection for ever.
const WITHIN: Duration = Duration::from_secs(30);

/// A body that fails with [`TooLarge`] once it has more than so many bytes, and with [`TooSlow`] when it does not come.
pub(crate) struct Bounded {
    inner: Body,
    left: u64,
    /// What may still be thrown away; `None` while the body is within its bound.
    drain: Option<u64>,
    bound: u64,
    /// Made when the body has to be waited for, which most have not.
    late: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    pub(crate) fn new(inner: Body, bound: u64) -> Self {
        Self { inner, left: bound, drain: None, bound, late: None }
    }

    /// Reads on after the refusal is certain, so that the client gets to see it.
    pub(crate) async fn throw_away(inner: Body, bound: u64) {
        let body = Self { inner, left: 0, drain: Some(bound.saturating_mul(DRAIN_BOUNDS)), bound, late: None };
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

/// The body did not come in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body did not come within {} seconds", WITHIN.as_secs())
    }
}

impl std::error::Error for TooSlow {}

/// The `E` that an error stems from, if it does.
pub(crate) fn cause<E: std::error::Error + Copy + 'static>(error: &(dyn std::error::Error + 'static)) -> Option<E> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(*found);
        }
        at = error.source();
    }
    None
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending => {
                    let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(WITHIN)));
                    return late.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(TooSlow))));
                }
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
                None => self.drain = Some(self.bound.saturating_mul(DRAIN_BOUNDS)),
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

/// A coding in `Content-Encoding` other than `identity`, cut to a length that can be shown. Bodies are small here, so none is taken: a
/// compressed one would need a bound of its own on what comes out.
pub(crate) fn foreign_coding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let texts: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let mut codings = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    let foreign = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))?;
    Some(foreign.chars().take(64).collect())
}

/// What bytes are that should be a JSON text and look like something else; for the sentence "the body is …".
pub(crate) fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some("compressed with gzip: send it uncompressed"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("compressed with zstd: send it uncompressed"),
        // The usual levels of zlib's header, as `deflate` has it.
        [0x78, 0x01 | 0x9c | 0xda, ..] => Some("compressed with deflate: send it uncompressed"),
        // The byte order marks; and a first character of ASCII, as every JSON text has it, in two or four bytes.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..] | [0, ..] | [1..=0x7f, 0, ..] => {
            Some("UTF-16 or UTF-32: send JSON as UTF-8")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn only_identity_is_no_coding() {
        let coding = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(header::CONTENT_ENCODING, value.parse().unwrap()));
            foreign_coding(&headers)
        };
        for plain in [&[][..], &["identity"], &["Identity, identity"], &[""]] {
            assert_eq!(coding(plain), None, "{plain:?}");
        }
        for (foreign, named) in [(&["gzip"][..], "gzip"), (&["identity", "br"], "br"), (&["identity, GZip"], "GZip"), (&["utf-8"], "utf-8")]
        {
            assert_eq!(coding(foreign).as_deref(), Some(named), "{foreign:?}");
        }
        assert_eq!(coding(&[&"x".repeat(5_000)]).unwrap().len(), 64);
    }

    #[test]
    fn what_is_no_text_is_known_by_its_first_bytes() {
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let utf_32 = |text: &str| text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>();
        for bytes in [utf_16("{}"), little("{}"), utf_32("{}"), utf_16("\u{feff}{}"), little("\u{feff}{}"), utf_32("\u{feff}{}")] {
            assert!(looks_like(&bytes).unwrap().contains("UTF-8"), "{bytes:?}");
        }
        assert!(looks_like(&[0x1f, 0x8b, 8, 0]).unwrap().contains("gzip"));
        assert!(looks_like(&[0x78, 0x9c, 1]).unwrap().contains("deflate"));
        for text in ["", "{", "{}", "[]", "\u{feff}{}", "x", " {\"a\":1}", "é"] {
            assert_eq!(looks_like(text.as_bytes()), None, "{text}");
        }
    }

    fn body(pieces: &'static [&'static str]) -> Body {
        Body::from_stream(futures_util::stream::iter(pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece))))
    }

    #[tokio::test]
    async fn a_body_is_cut_by_its_bytes_and_not_by_what_was_announced() {
        let whole = Body::new(Bounded::new(body(&["ab", "c"]), 3)).collect().await.unwrap().to_bytes();
        assert_eq!(whole, "abc");
        let error = Body::new(Bounded::new(body(&["ab", "cd"]), 3)).collect().await.unwrap_err();
        assert_eq!(cause::<TooLarge>(&error).unwrap().0, 3);
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
    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let drip = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        let mut bounded = Bounded::new(Body::from_stream(drip), 1_000);
        let mut bytes = 0;
        let error = loop {
            match bounded.frame().await.unwrap() {
                Ok(_) => bytes += 1,
                Err(error) => break error,
            }
        };
        assert!(cause::<TooSlow>(&error).is_some(), "{error}");
        assert!((28..=30).contains(&bytes), "{bytes}");
    }
}
