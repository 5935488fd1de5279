//! Starts work whose first step is taken at once, so that a client's events reach the services in the order in which it sent them.

use futures_util::future::{BoxFuture, FutureExt};
use socketio::Conn;
use std::sync::Arc;
use std::task::{Context, Waker};

/// Takes a future's first step now, and the rest in a task.
pub(crate) fn start(mut future: BoxFuture<'static, ()>) {
    // A task polls its future first of all. That replaces the waker below by the right one, so nothing is missed between the two polls.
    if future.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(future);
    }
}

/// The same for work that serves one connection only: it is dropped when the connection is over.
pub(crate) fn start_while_open(conn: Arc<Conn>, work: impl Future<Output = ()> + Send + 'static) {
    start(Box::pin(async move {
        tokio::select! {
            biased;
            () = work => {}
            () = conn.over() => {}
        }
    }));
}
