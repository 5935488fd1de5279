//! Several calls in one message, and several answers: each with its length before it.

use bytes::{BufMut, Bytes, BytesMut};

/// A header of a request with several calls: how many.
pub(super) const CALLS: &str = "Guild-Calls";

/// The bytes of a length.
pub(super) const PREFIX: usize = 4;

/// Puts them together. Each is smaller than a message of NATS, and that is far below 4 GiB.
pub(super) fn join<'a, T: AsRef<[u8]> + 'a>(parts: impl IntoIterator<Item = &'a T, IntoIter: Clone>) -> Bytes {
    let parts = parts.into_iter();
    let mut joined = BytesMut::with_capacity(parts.clone().map(|part| PREFIX + part.as_ref().len()).sum());
    for part in parts {
        joined.put_u32(u32::try_from(part.as_ref().len()).unwrap_or(u32::MAX));
        joined.put_slice(part.as_ref());
    }
    joined.freeze()
}

/// Takes so many apart; `None` where they are more, fewer, or cut.
pub(super) fn split(joined: &Bytes, count: usize) -> Option<Vec<Bytes>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < joined.len() {
        let length: [u8; PREFIX] = joined.get(at..at + PREFIX)?.try_into().ok()?;
        let (from, length) = (at + PREFIX, usize::try_from(u32::from_be_bytes(length)).ok()?);
        at = from.checked_add(length).filter(|end| *end <= joined.len())?;
        parts.push(joined.slice(from..at));
    }
    (parts.len() == count).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_is_split_and_what_is_broken_is_not() {
        let parts: Vec<Bytes> = vec![Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"three")];
        let joined = join(&parts);
        assert_eq!(split(&joined, 3), Some(parts));
        assert!(split(&joined, 2).is_none() && split(&joined, 4).is_none());
        assert!((1..joined.len()).all(|end| split(&joined.slice(..end), 3).is_none()));
        assert!(split(&Bytes::from_static(&[255; 9]), 1).is_none());
        assert_eq!(split(&Bytes::new(), 0), Some(Vec::new()));
    }
}
