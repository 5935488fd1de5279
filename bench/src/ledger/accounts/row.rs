//! What a room's log holds, as far as the accounts care.

/// One event of a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// This message.
    Message(usize),
    /// A message that was deleted since. Nobody is told any more which one it was.
    Gone,
    /// This user has joined.
    Joined(usize),
    /// This user has left.
    Left(usize),
    /// The message under this seq was changed so.
    Changed(u64, Amendment),
}

/// What was done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// It was edited.
    Edited,
    /// It was deleted.
    Deleted,
    /// Its reactions have changed.
    Reactions,
    /// It was pinned.
    Pinned,
}

impl Row {
    /// Whether both can stand under one seq: a message may be gone when it is shown to another member.
    pub fn agrees(self, other: Self) -> bool {
        self == other || matches!((self, other), (Row::Message(_), Row::Gone) | (Row::Gone, Row::Message(_)))
    }
}
