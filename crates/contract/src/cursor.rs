//! A cursor stands for "everything up to here has reached me", over all of a user's rooms at once: one position per partition of
//! the log, with the database's epoch, so that a cursor of another (or restored) database is known as such. It names no user: what
//! a replay holds is decided by who presents it. Clients treat it as opaque; its text is `1.<epoch>.<position>[.<position>…]`. What a gateway gives to a
//! client may have more behind that, which it takes off again.

use serde::{Deserialize, Serialize};

/// The format's version, first in the text.
const VERSION: &str = "1";

/// A place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The database's epoch.
    pub epoch: u64,
    /// The last position that has been seen, for each partition.
    pub positions: Vec<i64>,
}

impl Cursor {
    /// A cursor at the given positions.
    pub fn new(epoch: u64, positions: Vec<i64>) -> Self {
        Self { epoch, positions }
    }

    /// Reads a cursor's text; `None` if it is not one. Whether it fits a database is for the messages service to say.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(VERSION)?.strip_prefix('.')?.split('.');
        let epoch = u64::from_str_radix(parts.next()?, 16).ok()?;
        let positions = parts.map(|p| p.parse().ok().filter(|n: &i64| *n >= 0)).collect::<Option<Vec<_>>>()?;
        (!positions.is_empty() && positions.len() <= 64).then_some(Self { epoch, positions })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{VERSION}.{:x}", self.epoch)?;
        self.positions.iter().try_for_each(|position| write!(f, ".{position}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for cursor in [Cursor::new(0, vec![0]), Cursor::new(u64::MAX, vec![i64::MAX, 0, 7])] {
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
    }

    #[test]
    fn nothing_else_is_a_cursor() {
        for wrong in ["", "1", "1.", "1.ff", "1.ff.", "1.ff.-1", "2.ff.1", "1.xyz.1", "1.ff.1.", "1.ff.99999999999999999999", "\u{1F600}"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Cursor::parse(&format!("1.0{}", ".1".repeat(65))), None);
    }
}
