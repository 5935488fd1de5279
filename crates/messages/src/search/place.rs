//! Where a page of results ends: a position for each partition, below which the next one begins. A client gets it as an opaque text.

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
        let tops: Option<Vec<i64>> = text.split('-').take(usize::from(partitions) + 1).map(top).collect();
        match tops {
            Some(tops) if tops.len() == usize::from(partitions) => Ok(Self { tops }),
            _ => Err(Refusal::invalid("before", "before is the next of an earlier page of the same search")),
        }
    }

    /// As a client gets it.
    pub(crate) fn text(&self) -> String {
        self.tops.iter().map(|top| format!("{top:x}")).collect::<Vec<_>>().join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_given_out() {
        let place = Place { tops: vec![1, 255, i64::MAX] };
        assert_eq!(Place::read(&place.text(), 3), Ok(place));
        for wrong in ["", "-", "1-2", "1-2-3-4", "0-1-1", "x-1-1", "+1-1-1", "1--1", "ffffffffffffffff-1-1", "1-2-3-"] {
            assert!(Place::read(wrong, 3).is_err(), "{wrong}");
        }
    }
}
