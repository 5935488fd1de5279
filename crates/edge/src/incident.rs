//! Faults of ours.

use contract::{Code, Refusal};
use std::fmt::Display;
use uuid::Uuid;

/// Logs a fault with a fresh incident id, and returns the `internal` that tells the client this id and nothing else.
pub fn incident(what: &dyn Display) -> Refusal {
    let id = Uuid::now_v7().simple().to_string();
    tracing::error!(incident = %id, error = %what, "a request failed through a fault of the server");
    let mut refusal = Refusal::new(Code::Internal, format!("the server failed; its log says why under incident {id}"));
    refusal.incident = Some(id);
    refusal
}
