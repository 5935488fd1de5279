//! Answers that are larger than one message of the server may be: divided, numbered by a header, and put together again.

use async_nats::HeaderMap;
use bytes::Bytes;

/// `<number>/<count>`, from 1 on; absent where the answer is whole.
const PART: &str = "Guild-Part";

/// Room for a message's headers and subject beside its content.
pub(super) const HEADERS: usize = 512;

/// More parts than any answer has; with less than this nobody can be made to set aside much.
const MOST: usize = 65_536;

/// The messages that an answer is sent as.
pub(super) fn divide(answer: Bytes, max_payload: usize) -> Vec<(Option<HeaderMap>, Bytes)> {
    let most = max_payload.saturating_sub(HEADERS).max(1);
    if answer.len() <= most {
        return vec![(None, answer)];
    }
    let count = answer.len().div_ceil(most);
    let part = |number: usize| {
        let mut headers = HeaderMap::new();
        headers.insert(PART, format!("{}/{count}", number + 1));
        (Some(headers), answer.slice(number * most..((number + 1) * most).min(answer.len())))
    };
    (0..count).map(part).collect()
}

/// An answer that is being put together.
#[derive(Default)]
pub(super) struct Parts {
    parts: Vec<Option<Bytes>>,
    missing: usize,
}

impl Parts {
    /// Takes one message of it; answers the whole once nothing is missing.
    pub(super) fn take(&mut self, headers: Option<&HeaderMap>, content: Bytes) -> Option<Bytes> {
        let Some(label) = headers.and_then(|headers| headers.get(PART)) else { return Some(content) };
        let (number, count) = label.as_str().split_once('/')?;
        let (number, count): (usize, usize) = (number.parse().ok()?, count.parse().ok()?);
        if self.parts.is_empty() {
            if count > MOST {
                return None;
            }
            self.parts = vec![None; count];
            self.missing = count;
        }
        let part = self.parts.get_mut(number.checked_sub(1)?)?;
        if part.replace(content).is_none() {
            self.missing -= 1;
        }
        if self.missing > 0 {
            return None;
        }
        Some(self.parts.drain(..).flatten().collect::<Vec<_>>().concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_divided_is_put_together_whatever_the_order() {
        let answer: Bytes = (0..10_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>().into();
        assert_eq!(divide(answer.clone(), answer.len() + HEADERS).len(), 1);
        let mut sent = divide(answer.clone(), 1_000 + HEADERS);
        assert_eq!(sent.len(), 40);
        sent.reverse();
        let last = sent.pop().unwrap();
        let mut parts = Parts::default();
        for (headers, content) in sent {
            assert_eq!(parts.take(headers.as_ref(), content), None);
        }
        assert_eq!(parts.take(last.0.as_ref(), last.1), Some(answer));
    }

    #[test]
    fn a_broken_label_is_no_part() {
        let mut parts = Parts::default();
        for label in ["", "1", "x/2", "0/2", "3/2", "1/99999999"] {
            let mut headers = HeaderMap::new();
            headers.insert(PART, label);
            assert_eq!(parts.take(Some(&headers), Bytes::from_static(b"x")), None, "{label}");
        }
    }
}
