//! What one member has got of one room, over all connections: every seq once and in order, but for those of a time away.

use std::collections::BTreeSet;

use super::row::Row;

/// The account of one member in one room.
#[derive(Clone, Debug, Default)]
pub struct Track {
    newest: u64,
    missing: BTreeSet<u64>,
    away: bool,
    /// Whether it was away at any time, or has skipped something: then it does not know what all messages have become.
    has_missed: bool,
}

/// How an event stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the next one.
    Next,
    /// It is not, and those between have not come.
    AfterGap,
    /// It comes after later ones.
    Late,
    /// It has come before.
    Again,
    /// It was committed while the member was away.
    Foreign,
}

impl Track {
    /// An event of the room comes to this member.
    pub fn take(&mut self, member: usize, seq: u64, row: Row) -> Place {
        if seq <= self.newest {
            return if self.missing.remove(&seq) { Place::Late } else { Place::Again };
        }
        if self.away {
            if row != Row::Joined(member) {
                return Place::Foreign;
            }
            (self.away, self.newest) = (false, seq);
            return Place::Next;
        }
        self.away = row == Row::Left(member);
        self.has_missed |= self.away;
        let expected = self.newest + 1;
        self.newest = seq;
        self.missing.extend(expected..seq);
        if seq == expected { Place::Next } else { Place::AfterGap }
    }

    /// The client was told that it is too far behind: it reads the rest elsewhere.
    pub fn skip_to(&mut self, head: u64) {
        self.newest = self.newest.max(head);
        self.missing.clear();
        self.has_missed = true;
    }

    /// Whether it was a member all the time, and was shown everything.
    pub fn has_seen_all(&self) -> bool {
        !self.has_missed
    }

    /// How many events have not come, of a room whose newest seq this is.
    pub fn missing(&self, head: u64) -> u64 {
        let rest = if self.away { 0 } else { head.saturating_sub(self.newest) };
        self.missing.len() as u64 + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: usize = 7;

    #[test]
    fn the_next_one_is_the_next_one() {
        let mut track = Track::default();
        assert_eq!([1, 2, 3].map(|seq| track.take(ME, seq, Row::Message(0))), [Place::Next; 3]);
        assert_eq!((track.missing(3), track.missing(5)), (0, 2));
    }

    #[test]
    fn a_gap_is_missing_until_it_comes_late() {
        let mut track = Track::default();
        assert_eq!(track.take(ME, 3, Row::Message(0)), Place::AfterGap);
        assert_eq!(track.missing(3), 2);
        assert_eq!(track.take(ME, 2, Row::Message(0)), Place::Late);
        assert_eq!(track.take(ME, 2, Row::Message(0)), Place::Again);
        assert_eq!(track.missing(3), 1);
    }

    #[test]
    fn a_time_away_is_nobodys_loss_and_what_comes_in_it_is_foreign() {
        let mut track = Track::default();
        assert_eq!(track.take(ME, 1, Row::Left(3)), Place::Next);
        assert_eq!(track.take(ME, 2, Row::Left(ME)), Place::Next);
        assert_eq!(track.missing(9), 0);
        assert_eq!(track.take(ME, 3, Row::Message(0)), Place::Foreign);
        assert_eq!(track.take(ME, 9, Row::Joined(ME)), Place::Next);
        assert_eq!(track.missing(10), 1);
        assert_eq!(track.take(ME, 10, Row::Message(0)), Place::Next);
    }
}
