//! Why an operation did not happen.

use contract::Refusal;

/// See the module.
pub(crate) enum Denied {
    /// It is not allowed; the batch goes on.
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
