//! Why this side ends a connection, for the log.

/// Its token is not valid any more, or never was shown in time.
pub(crate) const REFUSED: &str = "refused";
/// What it needs could not be read; it may come back at once.
pub(crate) const FAILED: &str = "could not be served";
/// The server stops.
pub(crate) const RESTART: &str = "server restarts";
/// What it has got may not be in the log any more.
pub(crate) const NEW_EPOCH: &str = "the database has begun a new epoch";
