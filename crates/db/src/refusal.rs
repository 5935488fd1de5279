//! A database error as the refusal that a service answers.

use contract::{Code, Refusal};
use uuid::Uuid;

use crate::error::Error;

impl From<Error> for Refusal {
    /// `busy` for what passes by itself; otherwise `internal` with an incident id. The cause is logged here, once.
    fn from(error: Error) -> Self {
        if let Error::Busy(cause) = &error {
            tracing::warn!(%cause, "the database cannot do this now");
            return Refusal::busy("the database cannot do this now; try the same again, with the same nonce if it has one");
        }
        let id = Uuid::now_v7().simple().to_string();
        tracing::error!(incident = %id, %error, "the database failed");
        let mut refusal = Refusal::new(Code::Internal, format!("the server failed; its log says why under incident {id}"));
        refusal.incident = Some(id);
        refusal
    }
}
