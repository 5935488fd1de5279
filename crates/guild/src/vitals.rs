//! The tasks that must live, of every part of the program together.

use futures_util::future::{FutureExt, select_all};
use vital::{Lost, Vital};

/// A task that was lost, if one was.
pub fn lost(vitals: &[Vital]) -> Option<Lost> {
    vitals.iter().find_map(Vital::lost)
}

/// Waits until one is lost. There has to be at least one part.
pub async fn until_lost(vitals: &[Vital]) -> Lost {
    select_all(vitals.iter().map(|vital| vital.until_lost().boxed())).await.0
}
