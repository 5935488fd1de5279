//! How a socket goes from the replay to live events without losing or doubling one: the log's position and the socket's delivery state change
//! under one lock.

use super::socket::{DeliveryState, Pushed, Socket};
use super::{Inner, Key, Registry};
use contract::{Cursor, UserId};
use socketio::Frame;

/// What came of an attempt to make a socket live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LiveOutcome {
    /// It is live.
    Live,
    /// The log has moved on, and the socket has not got all of it, or not all of what is the user's own: continue the replay.
    Behind,
    /// The socket is closed; there is nothing to do.
    Gone,
    /// The socket does not keep up; the caller cuts it.
    Slow,
}

impl Registry {
    /// Makes a socket live that has got everything up to `from` (`None`: that wants no replay). It gets `ready` first, which is made for the
    /// log's position. Entries after `from` do not matter if none was for this user. What has changed of the user's own since the cursor `since` has to
    /// be read first (`None`: it is not told).
    pub(crate) fn go_live(
        &self,
        user: UserId,
        key: Key,
        from: Option<&Cursor>,
        since: Option<&Cursor>,
        ready: impl FnOnce(&Cursor) -> Option<Frame>,
    ) -> LiveOutcome {
        let mut inner = self.lock();
        let here = inner.cursor();
        let behind = from.is_some_and(|from| *from != here && !inner.has_all(user, from))
            || since.is_some_and(|since| !inner.has_all_own(user, since));
        let Some(socket) = inner.socket(user, key) else { return LiveOutcome::Gone };
        if behind {
            return LiveOutcome::Behind;
        }
        let Some(ready) = ready(&here) else { return LiveOutcome::Gone };
        let sent = socket.send(&ready);
        socket.live_after(sent)
    }

    /// From here on entries are held for this socket. Answers the log's position; `None` if the socket is closed.
    pub(crate) fn hold(&self, user: UserId, key: Key) -> Option<Cursor> {
        let mut inner = self.lock();
        let here = inner.cursor();
        inner.socket(user, key)?.delivery = DeliveryState::Holding { frames: Vec::new(), bytes: 0 };
        Some(here)
    }

    /// Sends `ready` and the held frames, and makes the socket live.
    pub(crate) fn release(&self, user: UserId, key: Key, ready: &Frame) -> LiveOutcome {
        let mut inner = self.lock();
        let Some(socket) = inner.socket(user, key) else { return LiveOutcome::Gone };
        let DeliveryState::Holding { frames, .. } = std::mem::replace(&mut socket.delivery, DeliveryState::Replaying) else {
            // Too much was held, and the socket has been cut for it.
            socket.delivery = DeliveryState::Closed;
            return LiveOutcome::Gone;
        };
        let sent = std::iter::once(ready).chain(&frames).map(|frame| socket.send(frame)).find(|sent| *sent != Pushed::Taken);
        socket.live_after(sent.unwrap_or(Pushed::Taken))
    }
}

impl Inner {
    /// The socket, unless it is closed.
    fn socket(&mut self, user: UserId, key: Key) -> Option<&mut Socket> {
        let sockets = &mut self.users.get_mut(&user)?.sockets;
        sockets.iter_mut().find(|socket| socket.key == key && !matches!(socket.delivery, DeliveryState::Closed))
    }
}

impl Socket {
    fn live_after(&mut self, sent: Pushed) -> LiveOutcome {
        match sent {
            Pushed::Taken => {
                self.delivery = DeliveryState::Live;
                LiveOutcome::Live
            }
            Pushed::Ignored => LiveOutcome::Gone,
            Pushed::Slow => LiveOutcome::Slow,
        }
    }
}
