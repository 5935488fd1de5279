//! One event of an authenticated user, as its handler gets it, and how its payload is read.

use crate::authenticated_user::AuthenticatedUser;
use crate::connection::Connection;
use contract::{Code, Refusal, Warning};
use edge::{Paid, Warnings};
use serde::de::DeserializeOwned;
use socketio::Incoming;
use std::sync::Arc;

/// See the module.
pub(crate) struct Event {
    pub(crate) connection: Connection,
    pub(crate) user: Arc<AuthenticatedUser>,
    /// What the user has paid for it.
    pub(crate) paid: Paid,
    /// What of it is not done, for its acknowledgement.
    pub(crate) warnings: Warnings,
}

/// Reads an event's payload: exactly one object. The warnings name the fields that no `P` has.
pub(crate) fn read<P: DeserializeOwned>(event: &Incoming) -> Result<(P, Vec<Warning>), Refusal> {
    match (event.args.as_slice(), event.binary) {
        ([payload], false) => edge::read_request(payload.get()),
        (_, true) => Err(Refusal::new(Code::InvalidRequest, "an event carries one JSON object, and nothing binary")),
        (args, false) => {
            Err(Refusal::new(Code::InvalidRequest, format!("an event carries exactly one JSON object, not {} arguments", args.len())))
        }
    }
}
