//! Where a page of results ends: a position for each partition, below which the next one begins. A client gets it as an opaque text, which
//! ends in a checksum: nearly every word is a number in some base, and one that was never given out must not be taken for a place.

use contract::Refusal;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Everything from here on has been told.
    tops: Vec<i64>,
}

impl Place {
    /// The end of everything, in a log of so many partitions.
    pub(crate) fn end(partitions: u16) -> Self {
        Self { tops: vec![1; usize::from(partitions)] }
    }

    /// Moves a partition's.
    pub(crate) fn set(&mut self, part: u16, top: i64) {
        if let Some(place) = self.tops.get_mut(usize::from(part)) {
            *place = top;
        }
    }

    /// A partition's.
    pub(crate) fn of(&self, part: u16) -> i64 {
        self.tops.get(usize::from(part)).copied().unwrap_or(1)
    }

    /// Reads one that was given out for a log of so many partitions.
    ///
    /// # Errors
    /// It was not.
    pub(crate) fn read(text: &str, partitions: u16) -> Result<Self, Refusal> {
        let top = |part: &str| i64::from_str_radix(part, 16).ok().filter(|top| *top > 0 && !part.starts_with('+'));
        let given = text.rsplit_once('-').filter(|(places, check)| *check == checksum(places)).map(|(places, _)| places);
        let tops: Option<Vec<i64>> = given.and_then(|given| given.split('-').take(usize::from(partitions) + 1).map(top).collect());
        match tops {
            Some(tops) if tops.len() == usize::from(partitions) => Ok(Self { tops }),
            _ => Err(Refusal::invalid("before", "before is the next of an earlier page of the same search")),
        }
    }

    /// As a client gets it.
    pub(crate) fn text(&self) -> String {
        let places = self.tops.iter().map(|top| format!("{top:x}")).collect::<Vec<_>>().join("-");
        let check = checksum(&places);
        format!("{places}-{check}")
    }
}

/// FNV-1a in 32 bits. It tells a mistake, and need not stop anybody: every place may be asked for.
fn checksum(places: &str) -> String {
    let hash = places.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_given_out() {
        let place = Place { tops: vec![1, 255, i64::MAX] };
        assert_eq!(place.text(), "1-ff-7fffffffffffffff-8a053c73", "clients hold such texts, also while servers are exchanged");
        assert_eq!(Place::read(&place.text(), 3), Ok(place));
        for wrong in ["", "-", "1-2", "1-2-3-4", "0-1-1", "x-1-1", "+1-1-1", "1--1", "ffffffffffffffff-1-1", "1-2-3-"] {
            assert!(Place::read(wrong, 3).is_err(), "{wrong}");
            assert!(Place::read(&format!("{wrong}-{}", checksum(wrong)), 3).is_err(), "{wrong}");
        }
        for wrong in ["abc", "1", "7fffffffffffffff", "1-abc", "deadbeef-1", "1-350ca8a", &format!("{}-1", Place::end(1).text())] {
            assert!(Place::read(wrong, 1).is_err(), "{wrong}");
        }
    }
}
