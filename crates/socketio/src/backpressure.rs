//! How far a connection is behind: bytes accepted for it, bytes that have left, and whether it was given up.
//!
//! The engine bounds its queue in packets only, and its websocket writer cannot be stopped while a client does not read: it waits in
//! a write, and neither a close nor a missed heartbeat ends that (engineioxide 0.17.9, `forward_to_socket`). So the bytes are counted
//! here, and [`WebSocketTransport`](crate::websocket_transport::WebSocketTransport), which stands between the engine and the network, fails
//! once this is stopped.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::Context,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// The counts of one connection.
///
/// Whatever is in `accepted` must be in `written` later, or the difference would grow for ever and cut a healthy client. `written` may run ahead, by the engine's own pings; it is set back to `accepted` each time.
#[derive(Debug, Default)]
pub(crate) struct Backpressure {
    accepted: AtomicU64,
    written: AtomicU64,
    blocked: AtomicBool,
    stopped: AtomicBool,
    hung_up: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    moved: Notify,
}

impl Backpressure {
    /// Bytes that were accepted and have not left.
    pub(crate) fn behind(&self) -> usize {
        let written = self.written.load(Ordering::Acquire);
        let behind = self.accepted.load(Ordering::Acquire).saturating_sub(written);
        usize::try_from(behind).unwrap_or(usize::MAX)
    }

    /// Counts bytes that are about to be queued; must come before they are, because they may be written at once.
    pub(crate) fn accept(&self, bytes: u64) {
        self.accepted.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Takes back bytes that could not be queued.
    pub(crate) fn take_back(&self, bytes: u64) {
        self.accepted.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Counts bytes that left. One caller at a time: the websocket, or the one polling request that is answered.
    pub(crate) fn wrote(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::AcqRel);
        let accepted = self.accepted.load(Ordering::Acquire);
        self.written.fetch_min(accepted, Ordering::AcqRel);
        self.blocked.store(false, Ordering::Release);
        self.moved.notify_waiters();
        if self.hung_up.load(Ordering::SeqCst) {
            self.reader.wake();
        }
    }

    /// Notes that the network takes nothing at present.
    pub(crate) fn block(&self) {
        self.blocked.store(true, Ordering::Release);
    }

    /// The counts at this moment.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            accepted: self.accepted.load(Ordering::Acquire),
            written: self.written.load(Ordering::Acquire),
            blocked: self.blocked.load(Ordering::Acquire),
        }
    }

    /// Makes the transport fail from now on, in both directions.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    /// Makes the transport end for its reader, as if the client had closed it, once everything that was accepted has left.
    pub(crate) fn hang_up(&self) {
        self.hung_up.store(true, Ordering::SeqCst);
        self.reader.wake();
    }

    pub(crate) fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::SeqCst)
    }

    /// Whether the transport's reader must end. A reader that has asked [`Backpressure::must_stop`] is woken when it must.
    pub(crate) fn must_end(&self) -> bool {
        self.is_hung_up() && self.behind() == 0
    }

    /// Wakes the waiters in [`Backpressure::moved`], because the connection ended.
    pub(crate) fn wake(&self) {
        self.moved.notify_waiters();
    }

    /// Resolves when bytes have left or the connection has ended, if that happens after this call.
    pub(crate) fn moved(&self) -> tokio::sync::futures::Notified<'_> {
        self.moved.notified()
    }

    /// Whether the transport must fail; if not yet, `cx` is woken when it must.
    pub(crate) fn must_stop(&self, side: Side, cx: &Context<'_>) -> bool {
        match side {
            Side::Reader => self.reader.register(cx.waker()),
            Side::Writer => self.writer.register(cx.waker()),
        }
        self.is_stopped()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// What [`Backpressure`] has counted so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// All bytes that were ever accepted.
    pub(crate) accepted: u64,
    /// All bytes that were written.
    pub(crate) written: u64,
    /// Whether the network takes nothing at present.
    pub(crate) blocked: bool,
}

/// Which half of the transport waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Reader,
    Writer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_without_having_been_accepted_is_not_credited() {
        let backpressure = Backpressure::default();
        backpressure.wrote(3);
        backpressure.accept(10);
        assert_eq!(backpressure.behind(), 10);
        backpressure.wrote(4);
        assert_eq!(backpressure.behind(), 6);
        backpressure.wrote(9);
        assert_eq!(backpressure.behind(), 0);
        backpressure.accept(5);
        assert_eq!(backpressure.behind(), 5);
        backpressure.take_back(5);
        assert_eq!(backpressure.behind(), 0);
    }
}
