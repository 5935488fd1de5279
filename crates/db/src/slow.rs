//! The bound on how long a slow read waits for its turn, the same on both engines.

use std::time::Duration;

use crate::error::Error;

/// How long a slow read waits for its turn. After that the caller is refused and may come back.
pub(crate) const SLOW_WAIT: Duration = Duration::from_secs(4);

/// Why a slow read did not get its turn.
pub(crate) fn slow_lanes_full() -> Error {
    Error::Busy("too many slow reads (searches, lists of lists) wait already".to_owned())
}
