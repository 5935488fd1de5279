//! What has been read from a connection: whether it is connected to `/`, and what of it waits.

use std::sync::Arc;

use crate::{Conn, Incoming};

/// What has been read from a connection. Locked while a packet is handled, so that two posts of one client at a time are handled one after
/// the other, and `disconnected` comes last.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) state: NamespaceState,
    /// A packet whose attachments are still to come.
    pub(crate) partial: Option<Partial>,
}

/// Whether the client is connected to the namespace `/`.
#[derive(Debug, Default)]
pub(crate) enum NamespaceState {
    /// The client has sent no CONNECT, or none that was accepted.
    #[default]
    Unconnected,
    /// The handler is being asked; what came meanwhile is held.
    Connecting {
        held: Vec<Incoming>,
        bytes: usize,
    },
    Connected(Arc<Conn>),
    Closed,
}

#[derive(Debug)]
pub(crate) struct Partial {
    /// None for an acknowledgement, which nobody waits for.
    pub(crate) event: Option<Incoming>,
    pub(crate) left: usize,
    pub(crate) bytes: usize,
}

impl Reader {
    /// Waits for a packet's attachments, if it has any.
    pub(crate) fn expect(&mut self, event: Option<Incoming>, attachments: usize) {
        if attachments > 0 {
            self.partial = Some(Partial { event, left: attachments, bytes: 0 });
        }
    }
}
