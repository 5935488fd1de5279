//! Counts round trips to the database.

/// Round trips to the database, so that a test can check that work costs a fixed number of them. A list of statements that goes out together
/// counts once. The begin and the commit of a transaction do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trips {
    /// In transactions that read.
    pub reads: u64,
    /// In transactions that write.
    pub writes: u64,
}
