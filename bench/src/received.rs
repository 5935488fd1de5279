//! What one receiver got of one room, held against `seq`: every number once, in order.

/// The account of one receiver.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The highest `seq` so far.
    newest: u64,
    /// Numbers below it that have not come: first and last of each stretch.
    gaps: Vec<(u64, u64)>,
    /// Different messages.
    pub once: u64,
    /// Messages that had come before.
    pub doubled: u64,
    /// Messages that came after a later one.
    pub misplaced: u64,
}

/// How a message stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has not come before: in its place, or past a gap that may still be filled.
    New,
    /// It fills a gap: out of order.
    Late,
    /// It has come before.
    Again,
}

impl Received {
    /// Takes one down.
    pub fn take(&mut self, seq: u64) -> Arrival {
        if seq > self.newest {
            if seq - self.newest > 1 {
                self.gaps.push((self.newest + 1, seq - 1));
            }
            self.newest = seq;
            self.once += 1;
            return Arrival::New;
        }
        let Some(at) = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&seq)) else {
            self.doubled += 1;
            return Arrival::Again;
        };
        let (first, last) = self.gaps.swap_remove(at);
        self.gaps.extend([(first, seq - 1), (seq + 1, last)].into_iter().filter(|(first, last)| first <= last));
        self.once += 1;
        self.misplaced += 1;
        Arrival::Late
    }

    /// How many of the room's messages have not come, where its newest is `head`.
    pub fn missing(&self, head: u64) -> u64 {
        let between: u64 = self.gaps.iter().map(|(first, last)| last - first + 1).sum();
        between + head.saturating_sub(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_once_and_in_order_leaves_nothing_to_say() {
        let mut received = Received::default();
        assert!((1..=5).all(|seq| received.take(seq) == Arrival::New));
        assert_eq!((received.once, received.doubled, received.misplaced, received.missing(5)), (5, 0, 0, 0));
        assert_eq!(received.missing(7), 2);
    }

    #[test]
    fn a_gap_is_missing_until_it_is_filled_which_is_out_of_order() {
        let mut received = Received::default();
        assert_eq!([1, 6].map(|seq| received.take(seq)), [Arrival::New, Arrival::New]);
        assert_eq!(received.missing(6), 4);
        assert_eq!([3, 2, 5].map(|seq| received.take(seq)), [Arrival::Late; 3]);
        assert_eq!((received.missing(6), received.misplaced, received.once), (1, 3, 5));
        assert_eq!([3, 6, 1].map(|seq| received.take(seq)), [Arrival::Again; 3]);
        assert_eq!((received.doubled, received.missing(6), received.once), (3, 1, 5));
        assert_eq!(received.take(4), Arrival::Late);
        assert_eq!(received.missing(6), 0);
    }

    #[test]
    fn no_number_upsets_it() {
        let mut received = Received::default();
        assert_eq!(
            [0, u64::MAX, 1, u64::MAX - 1].map(|seq| received.take(seq)),
            [Arrival::Again, Arrival::New, Arrival::Late, Arrival::Late]
        );
    }
}
