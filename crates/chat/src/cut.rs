//! How this side ends a connection: the reasons, for the log, and what the client is told before it.

use crate::encode::frame;
use crate::start::start_while_open;
use crate::transport::Transport;
use contract::wire::{Cut, server};
use contract::{Code, Refusal};
use socketio::Conn;
use std::sync::Arc;
use std::time::Duration;

/// Its token is not valid any more, or was not shown in time.
const REFUSED: &str = "refused";
/// What it needs could not be read; it may come back at once.
const FAILED: &str = "could not be served";
/// The server stops.
pub(crate) const RESTART: &str = "server restarts";
/// What it has got may not be in the log any more.
pub(crate) const NEW_EPOCH: &str = "the database has begun a new epoch";

/// It has missed changes of its user's own state that are forgotten.
pub(crate) const FORGOTTEN: &str = "what was missed is forgotten";

/// How long a connection stays open after the client was told why it ends. python-socketio's `connect()` looks at the connection a moment
/// after CONNECT was answered. If it is gone by then, the call fails and the client does not come back.
const TOLD_BEFORE: Duration = Duration::from_millis(250);

/// Tells a client why it is cut. Where the queue has no room for that, the cut alone has to do.
pub(crate) fn tell_why(transport: &dyn Transport, refusal: &Refusal) {
    if let Some(frame) = frame(server::ERROR, &Cut { code: refusal.code, detail: refusal.detail.clone() }) {
        let _ = transport.send(&frame);
    }
}

/// Tells a client why, then cuts it for good: it must not come back the same way.
pub(crate) fn cut_for_good(transport: &dyn Transport, refusal: &Refusal) {
    tell_why(transport, refusal);
    transport.close(REFUSED);
}

/// Cuts a client that does not keep up. It loses nothing: it comes back with its cursor.
pub(crate) fn cut_slow(transport: &dyn Transport) {
    tracing::info!(conn = transport.id(), behind = transport.behind(), "a client does not keep up and is cut; it resumes by its cursor");
    metrics::counter!("guild_slow_clients_cut_total").increment(1);
    transport.abort();
}

/// Cuts a connection that cannot be served. The client may come back at once, unless its token is the reason.
pub(crate) fn cut_unserved(conn: &Arc<Conn>, refusal: &Refusal) {
    if refusal.code == Code::Unauthenticated {
        return cut_for_good(&**conn, refusal);
    }
    if refusal.code == Code::RateLimited {
        tracing::debug!(conn = conn.id(), %refusal, "refused a connection; it may come back a little later");
    } else {
        tracing::warn!(conn = conn.id(), %refusal, "a connection could not be served and is cut; it may come back at once");
    }
    tell_why(&**conn, refusal);
    let closing = Arc::clone(conn);
    start_while_open(Arc::clone(conn), async move {
        tokio::time::sleep(TOLD_BEFORE).await;
        closing.hang_up(FAILED);
    });
}
