//! The way out to one client, as the rest of this crate sees it. The transport stays behind it, and tests stand in for it.

use crate::cut;
use contract::Refusal;
use contract::wire::{Cut, server};
use futures_util::future::BoxFuture;
use socketio::{Conn, Frame, SendError};

/// Where frames for one client go.
pub(crate) trait Outbound: Send + Sync + 'static {
    /// Names the connection in the log.
    fn id(&self) -> &str;
    /// Queues a frame; never waits.
    fn send(&self, frame: &Frame) -> Result<(), SendError>;
    /// Says that the client is disconnected, and closes once everything queued has been flushed. Stock clients stay away.
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

impl Outbound for Conn {
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

/// Tells a client why it is cut. Without room for it the cut has to say enough.
pub(crate) fn tell_why(out: &dyn Outbound, refusal: &Refusal) {
    if let Some(frame) = crate::encode::frame(server::ERROR, &Cut { code: refusal.code, detail: refusal.detail.clone() }) {
        let _ = out.send(&frame);
    }
}

/// Tells a client why, then cuts it for good: it must not come back the same way.
pub(crate) fn cut_for(out: &dyn Outbound, refusal: &Refusal) {
    tell_why(out, refusal);
    out.close(cut::REFUSED);
}

/// Cuts a client that cannot keep up. It loses nothing: it comes back with its cursor.
pub(crate) fn cut_slow(out: &dyn Outbound) {
    tracing::info!(conn = out.id(), behind = out.behind(), "a client does not keep up and is cut; it resumes by its cursor");
    metrics::counter!("guild_slow_clients_cut_total").increment(1);
    out.abort();
}
