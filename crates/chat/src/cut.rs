//! Why this side ends a connection, for the log.

/// Its token is not valid any more, or never was shown in time.
pub(crate) const REFUSED: &str = "refused";
/// What it needs could not be read; it may come back at once.
pub(crate) const FAILED: &str = "could not be served";
/// The server stops.
pub(crate) const RESTART: &str = "server restarts";
