//! One authenticated socket, and which entries of the log it gets.

use crate::transport::Transport;
use contract::{Time, TokenId};
use socketio::{Frame, SendError};
use std::sync::Arc;

/// Names a connection within this process.
pub(crate) type Key = u64;

/// Bytes of live events that may wait for the end of a replay: half of what may wait for a client at all, so that they fit once the client
/// has taken the replay.
const HELD_BYTES: usize = 4 * 1024 * 1024;
/// Frames likewise.
const HELD_FRAMES: usize = 2_048;

/// A socket that enters the registry.
pub(crate) struct NewSocket {
    pub(crate) key: Key,
    /// The token that the socket depends on, and when it expires.
    pub(crate) token: TokenId,
    pub(crate) expires_at: Time,
    pub(crate) transport: Arc<dyn Transport>,
}

pub(crate) struct Socket {
    pub(crate) key: Key,
    pub(crate) token: TokenId,
    pub(crate) expires_at: Time,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) delivery: DeliveryState,
}

/// What happens to the entries that are applied now.
pub(crate) enum DeliveryState {
    /// They are not sent: the socket gets them from the log, by its replay.
    Replaying,
    /// They are held until the socket has got what came before.
    Holding { frames: Vec<Frame>, bytes: usize },
    /// They are sent at once.
    Live,
    /// They are never sent: the connection is over, or one event did not get through, so none may follow.
    Closed,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Sent or held.
    Taken,
    /// Not for this socket at present.
    Ignored,
    /// It did not fit: the socket is closed, and the caller cuts it.
    Slow,
}

impl Socket {
    pub(crate) fn new(new: NewSocket) -> Self {
        Self { key: new.key, token: new.token, expires_at: new.expires_at, transport: new.transport, delivery: DeliveryState::Replaying }
    }

    /// Takes a frame of the log.
    pub(crate) fn push(&mut self, frame: &Frame) -> Pushed {
        match &mut self.delivery {
            DeliveryState::Replaying | DeliveryState::Closed => Pushed::Ignored,
            DeliveryState::Holding { frames, bytes } => {
                *bytes += frame.len();
                frames.push(frame.clone());
                if *bytes <= HELD_BYTES && frames.len() <= HELD_FRAMES { Pushed::Taken } else { self.close_slow() }
            }
            DeliveryState::Live => self.send(frame),
        }
    }

    /// Sends a frame after which no other may be missing.
    pub(crate) fn send(&mut self, frame: &Frame) -> Pushed {
        match self.transport.send(frame) {
            Ok(()) => Pushed::Taken,
            Err(SendError::Full) => self.close_slow(),
            Err(SendError::Closed) => {
                self.delivery = DeliveryState::Closed;
                Pushed::Ignored
            }
        }
    }

    fn close_slow(&mut self) -> Pushed {
        self.delivery = DeliveryState::Closed;
        Pushed::Slow
    }

    /// Sends a frame that may be lost.
    pub(crate) fn send_losable(&self, frame: &Frame) {
        if matches!(self.delivery, DeliveryState::Live) && self.transport.behind() <= crate::settings::LOSABLE_BEHIND {
            let _ = self.transport.send(frame);
        }
    }
}
