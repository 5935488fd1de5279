//! The transport to one client, as the rest of this crate sees it. Tests put their own in its place.

use futures_util::future::BoxFuture;
use socketio::{Conn, Frame, SendError};

/// Where frames for one client go.
pub(crate) trait Transport: Send + Sync + 'static {
    /// Names the connection in the log.
    fn id(&self) -> &str;
    /// Queues a frame; never waits.
    fn send(&self, frame: &Frame) -> Result<(), SendError>;
    /// Tells the client that it is disconnected, and closes once everything queued has been flushed. Stock clients stay away.
    fn close(&self, reason: &'static str);
    /// Closes without a goodbye once everything queued has been flushed. Stock clients come back.
    fn hang_up(&self, reason: &'static str);
    /// Closes at once and drops what is queued. Stock clients come back.
    fn abort(&self);
    /// Bytes that the client has not taken yet.
    fn behind(&self) -> usize;
    /// Waits until the client is at most `bytes` behind; false when the connection is over.
    fn drained(&self, bytes: usize) -> BoxFuture<'_, bool>;
}

impl Transport for Conn {
    fn id(&self) -> &str {
        Conn::id(self)
    }

    fn send(&self, frame: &Frame) -> Result<(), SendError> {
        Conn::send(self, frame)
    }

    fn close(&self, reason: &'static str) {
        Conn::close(self, reason);
    }

    fn hang_up(&self, reason: &'static str) {
        Conn::hang_up(self, reason);
    }

    fn abort(&self) {
        Conn::abort(self);
    }

    fn behind(&self) -> usize {
        Conn::behind(self)
    }

    fn drained(&self, bytes: usize) -> BoxFuture<'_, bool> {
        Box::pin(Conn::drained(self, bytes))
    }
}
