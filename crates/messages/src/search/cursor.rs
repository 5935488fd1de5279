//! Where a page of results ends: for each partition the position below which the next page begins. A client gets it as an opaque text with a
//! checksum at its end, because nearly every word is a number in some base, and a text that was never given out must be refused.

use contract::Refusal;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchCursor {
    /// For each partition: everything from this position on was in earlier pages.
    tops: Vec<i64>,
}

impl SearchCursor {
    /// Past the oldest message, in a log of so many partitions.
    pub(crate) fn end(partitions: u16) -> Self {
        Self { tops: vec![1; usize::from(partitions)] }
    }

    /// Sets a partition's position.
    pub(crate) fn set(&mut self, part: u16, top: i64) {
        if let Some(current) = self.tops.get_mut(usize::from(part)) {
            *current = top;
        }
    }

    /// A partition's position.
    pub(crate) fn of(&self, part: u16) -> i64 {
        self.tops.get(usize::from(part)).copied().unwrap_or(1)
    }

    /// Reads the text of a cursor in a log of so many partitions.
    ///
    /// # Errors
    /// This text was never given out.
    pub(crate) fn read(text: &str, partitions: u16) -> Result<Self, Refusal> {
        let top = |part: &str| i64::from_str_radix(part, 16).ok().filter(|top| *top > 0 && !part.starts_with('+'));
        let given = text.rsplit_once('-').filter(|(places, check)| *check == checksum(places)).map(|(places, _)| places);
        let tops: Option<Vec<i64>> = given.and_then(|given| given.split('-').take(usize::from(partitions) + 1).map(top).collect());
        match tops {
            Some(tops) if tops.len() == usize::from(partitions) => Ok(Self { tops }),
            _ => Err(Refusal::invalid("before", "before is the next of an earlier page of the same search")),
        }
    }

    /// The text for a client.
    pub(crate) fn text(&self) -> String {
        let places = self.tops.iter().map(|top| format!("{top:x}")).collect::<Vec<_>>().join("-");
        let check = checksum(&places);
        format!("{places}-{check}")
    }
}

/// FNV-1a in 32 bits. It detects a mistake; it need not stop a forgery, since every cursor is allowed.
fn checksum(places: &str) -> String {
    let hash = places.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_given_out() {
        let cursor = SearchCursor { tops: vec![1, 255, i64::MAX] };
        assert_eq!(cursor.text(), "1-ff-7fffffffffffffff-8a053c73", "clients hold such texts, also while servers are exchanged");
        assert_eq!(SearchCursor::read(&cursor.text(), 3), Ok(cursor));
        for wrong in ["", "-", "1-2", "1-2-3-4", "0-1-1", "x-1-1", "+1-1-1", "1--1", "ffffffffffffffff-1-1", "1-2-3-"] {
            assert!(SearchCursor::read(wrong, 3).is_err(), "{wrong}");
            assert!(SearchCursor::read(&format!("{wrong}-{}", checksum(wrong)), 3).is_err(), "{wrong}");
        }
        for wrong in ["abc", "1", "7fffffffffffffff", "1-abc", "deadbeef-1", "1-350ca8a", &format!("{}-1", SearchCursor::end(1).text())] {
            assert!(SearchCursor::read(wrong, 1).is_err(), "{wrong}");
        }
    }
}
