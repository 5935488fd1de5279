//! A connection with all that belongs to it; cheap to clone.

use crate::connection_state::ConnectionState;
use crate::cut::cut_slow;
use crate::gateway::Gateway;
use contract::wire::{Done, Refused};
use contract::{Refusal, Warning};
use edge::Peer;
use serde::Serialize;
use socketio::{Ack, Conn, SendError};
use std::net::IpAddr;
use std::sync::Arc;

/// See the module.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) conn: Arc<Conn>,
    pub(crate) state: Arc<ConnectionState>,
}

impl Connection {
    /// The address under whose limits this connection counts.
    pub(crate) fn address(&self) -> IpAddr {
        Peer::of(self.conn.req_parts()).key()
    }

    /// Answers an event, where its client waits for it. The warnings go with a yes; a refusal says itself what is wrong.
    pub(crate) fn answer<A: Serialize>(&self, ack: Option<Ack>, answer: Result<A, Refusal>, warnings: Vec<Warning>) {
        match answer {
            Ok(adds) => self.acknowledge(ack, &Done::with(adds, warnings)),
            Err(refusal) => self.refuse(ack, refusal),
        }
    }

    /// Refuses an event, where its client waits for it.
    pub(crate) fn refuse(&self, ack: Option<Ack>, refusal: Refusal) {
        tracing::debug!(conn = self.conn.id(), %refusal, "refused an event");
        self.acknowledge(ack, &Refused::from(refusal));
    }

    fn acknowledge<A: Serialize>(&self, ack: Option<Ack>, answer: &A) {
        let Some(ack) = ack else { return };
        if self.conn.ack(ack, answer) == Err(SendError::Full) {
            cut_slow(&*self.conn);
        }
    }
}
