//! Faults of ours.

use contract::{Code, Refusal};
use futures_util::FutureExt;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use uuid::Uuid;

/// Logs a fault with a fresh incident id, and returns the `internal` that tells the client this id and nothing else.
pub fn incident(what: &dyn Display) -> Refusal {
    let id = Uuid::now_v7().simple().to_string();
    tracing::error!(incident = %id, error = %what, "a request failed through a fault of the server");
    let mut refusal = Refusal::new(Code::Internal, format!("the server failed; its log says why under incident {id}"));
    refusal.incident = Some(id);
    refusal
}

/// A panic in `work` costs this one answer and nothing else: it is an incident.
///
/// # Errors
/// The work's own, and `internal` for a panic.
pub async fn caught<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => done,
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Err(incident(&format_args!("a handler panicked: {}", said.unwrap_or("it did not say why"))))
        }
    }
}
