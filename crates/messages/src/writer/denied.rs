//! Why an operation did not happen.

use contract::Refusal;

/// Why an operation was not done.
pub(crate) enum Denied {
    /// It may not be done; the batch goes on.
    Refused(Refusal),
    /// The database failed; the batch is lost.
    Store(db::Error),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<db::Error> for Denied {
    fn from(error: db::Error) -> Self {
        Self::Store(error)
    }
}
