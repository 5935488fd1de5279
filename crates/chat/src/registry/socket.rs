//! One authenticated socket, and how much of the log it hears.

use crate::outbound::Outbound;
use contract::{Time, TokenId};
use socketio::{Frame, SendError};
use std::sync::Arc;

/// Names a connection within this process.
pub(crate) type Key = u64;

/// Bytes of live events that may wait for the end of a replay. Half of what may wait for a client at all, so that they fit once the replay
/// has been taken.
const HELD_BYTES: usize = 4 * 1024 * 1024;
/// Frames likewise.
const HELD_FRAMES: usize = 2_048;

/// A socket that enters.
pub(crate) struct NewSocket {
    pub(crate) key: Key,
    /// The token by which it lives, and until when.
    pub(crate) token: TokenId,
    pub(crate) expires_at: Time,
    pub(crate) out: Arc<dyn Outbound>,
}

pub(crate) struct Socket {
    pub(crate) key: Key,
    pub(crate) token: TokenId,
    pub(crate) expires_at: Time,
    pub(crate) out: Arc<dyn Outbound>,
    pub(crate) phase: Phase,
}

/// How much of the log a socket hears as it passes.
pub(crate) enum Phase {
    /// Nothing: what passes is in the log, from which the socket is being served.
    Waiting,
    /// Everything, but it is held until the socket has got what came before.
    Holding { frames: Vec<Frame>, bytes: usize },
    /// Everything, at once.
    Live,
    /// Nothing any more: one event did not get through, so none may follow.
    Over,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Sent or held.
    Taken,
    /// Not for this socket at present.
    Ignored,
    /// It did not fit: the socket is over and must be cut.
    Slow,
}

impl Socket {
    pub(crate) fn new(new: NewSocket) -> Self {
        Self { key: new.key, token: new.token, expires_at: new.expires_at, out: new.out, phase: Phase::Waiting }
    }

    /// Hands on a frame of the log.
    pub(crate) fn push(&mut self, frame: &Frame) -> Pushed {
        match &mut self.phase {
            Phase::Waiting | Phase::Over => Pushed::Ignored,
            Phase::Holding { frames, bytes } => {
                *bytes += frame.len();
                frames.push(frame.clone());
                if *bytes <= HELD_BYTES && frames.len() <= HELD_FRAMES { Pushed::Taken } else { self.over() }
            }
            Phase::Live => self.send(frame),
        }
    }

    /// Sends a frame after which no other may be missing.
    pub(crate) fn send(&mut self, frame: &Frame) -> Pushed {
        match self.out.send(frame) {
            Ok(()) => Pushed::Taken,
            Err(SendError::Full) => self.over(),
            Err(SendError::Closed) => {
                self.phase = Phase::Over;
                Pushed::Ignored
            }
        }
    }

    fn over(&mut self) -> Pushed {
        self.phase = Phase::Over;
        Pushed::Slow
    }

    /// Sends what may be lost.
    pub(crate) fn tell(&self, frame: &Frame) {
        if matches!(self.phase, Phase::Live) && self.out.behind() <= crate::settings::LOSABLE_BEHIND {
            let _ = self.out.send(frame);
        }
    }
}
