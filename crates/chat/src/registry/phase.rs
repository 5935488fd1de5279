//! How a socket goes from being served out of the log to hearing it live, without losing or doubling anything: where the log stands and
//! what the socket hears next are decided under one lock.

use super::socket::{Phase, Pushed, Socket};
use super::{Inner, Key, Registry};
use contract::{Cursor, UserId};
use socketio::Frame;

/// What came of an attempt to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Done.
    Done,
    /// The log has moved on past where the socket stands: serve it from there.
    Moved,
    /// The socket is over; nobody need do anything.
    Gone,
    /// The socket does not keep up and must be cut.
    Slow,
}

impl Registry {
    /// Makes a socket that has got everything up to `from` (`None`: that wants nothing from before) live from where the log stands, after
    /// `ready`, which is made for that place. What has passed since `from` does not matter if nothing of it was for this user.
    pub(crate) fn go_live(&self, user: UserId, key: Key, from: Option<&Cursor>, ready: impl FnOnce(&Cursor) -> Option<Frame>) -> Begun {
        let mut inner = self.lock();
        let here = inner.cursor();
        let moved = from.is_some_and(|from| *from != here && !inner.has_all(user, from));
        let Some(socket) = inner.socket(user, key) else { return Begun::Gone };
        if moved {
            return Begun::Moved;
        }
        let Some(ready) = ready(&here) else { return Begun::Gone };
        let sent = socket.send(&ready);
        socket.begin_live(sent)
    }

    /// From here on everything is held for this socket. Where the log stands; `None` if the socket is gone.
    pub(crate) fn hold(&self, user: UserId, key: Key) -> Option<Cursor> {
        let mut inner = self.lock();
        let here = inner.cursor();
        inner.socket(user, key)?.phase = Phase::Holding { frames: Vec::new(), bytes: 0 };
        Some(here)
    }

    /// Sends `ready` and what was held, and goes live.
    pub(crate) fn release(&self, user: UserId, key: Key, ready: &Frame) -> Begun {
        let mut inner = self.lock();
        let Some(socket) = inner.socket(user, key) else { return Begun::Gone };
        let Phase::Holding { frames, .. } = std::mem::replace(&mut socket.phase, Phase::Waiting) else {
            // What was held has grown too much, and the socket has been cut for it.
            socket.phase = Phase::Over;
            return Begun::Gone;
        };
        let sent = std::iter::once(ready).chain(&frames).map(|frame| socket.send(frame)).find(|sent| *sent != Pushed::Taken);
        socket.begin_live(sent.unwrap_or(Pushed::Taken))
    }
}

impl Inner {
    /// The socket, unless it is over.
    fn socket(&mut self, user: UserId, key: Key) -> Option<&mut Socket> {
        let sockets = &mut self.users.get_mut(&user)?.sockets;
        sockets.iter_mut().find(|socket| socket.key == key && !matches!(socket.phase, Phase::Over))
    }
}

impl Socket {
    fn begin_live(&mut self, sent: Pushed) -> Begun {
        match sent {
            Pushed::Taken => {
                self.phase = Phase::Live;
                Begun::Done
            }
            Pushed::Ignored => Begun::Gone,
            Pushed::Slow => Begun::Slow,
        }
    }
}
