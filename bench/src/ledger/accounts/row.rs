//! What a room's log holds, as far as the accounts care.

/// One event of a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// This message.
    Message(usize),
    /// This user has joined.
    Joined(usize),
    /// This user has left.
    Left(usize),
}
