//! Takes connections and serves HTTP on them: HTTP/1.1 with upgrades (Socket.IO's websocket), nothing else.
//!
//! axum's own `serve` sets no time limit on a request's head, so that a client that sends a byte a minute holds its connection for
//! ever; [`edge::Line`] does, which is why hyper is used here directly.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use edge::{Line, Patience, Turns};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;
use vital::Vital;

/// The most bytes of a request's head: room for a long token and cookies that are not ours.
const HEAD_BYTES: usize = 32 * 1024;

/// After the system had no more descriptors or memory for a connection: it would only say so again at once.
const BREATH: Duration = Duration::from_millis(100);

/// A listener at work.
pub struct Listening {
    phase: watch::Sender<Phase>,
    /// Closed when the last connection has ended.
    connections: mpsc::Receiver<()>,
}

/// How far the end of a listener has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Everything is taken.
    Open,
    /// No new connections; on those that there are, everything.
    Closing,
    /// No new requests either.
    Closed,
}

/// Serves `router` to every connection, with its address as [`ConnectInfo`].
pub fn listen(listener: TcpListener, router: Router, vital: &Vital) -> Listening {
    let (phase, phases) = watch::channel(Phase::Open);
    let (alive, connections) = mpsc::channel(1);
    tokio::spawn(vital.keep("the taking of connections", accept(listener, router, phases, alive)));
    Listening { phase, connections }
}

impl Listening {
    /// Takes no more connections. Those that there are go on: who polls hears the goodbye by one more request.
    pub fn stop_accepting(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Takes no more requests either, and waits until every one that had begun is answered. Connections that became websockets are not
    /// waited for.
    pub async fn answered(mut self) {
        self.phase.send_replace(Phase::Closed);
        // Nothing is ever sent: it ends when every sender has gone.
        let _: Option<()> = self.connections.recv().await;
    }
}

async fn accept(listener: TcpListener, router: Router, mut phases: watch::Receiver<Phase>, alive: mpsc::Sender<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = reached(Phase::Closing, &mut phases) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(serve(stream, peer, router.clone(), phases.clone(), alive.clone()));
            }
            Err(error) if of_one_connection(&error) => tracing::debug!(%error, "a connection was gone before it was taken"),
            Err(error) => {
                tracing::error!(%error, "cannot take connections; trying again (is the limit on open files too low? see ulimit -n)");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Waits until the listener has come so far, or is gone.
async fn reached(phase: Phase, phases: &mut watch::Receiver<Phase>) {
    drop(phases.wait_for(|now| *now >= phase).await);
}

fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, mut phases: watch::Receiver<Phase>, alive: mpsc::Sender<()>) {
    // An event is a small packet that should not wait for the next one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
    }
    let turns = Turns::default();
    let line = Line::new(stream, turns.clone(), Patience::default());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let turn = turns.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move { answer.await.map(|answer| turn.until_given(answer)) }
    });
    let mut server = http1::Builder::new();
    // The line has clocks of its own.
    server.header_read_timeout(None).max_buf_size(HEAD_BYTES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(line), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = reached(Phase::Closed, &mut phases) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended before its time");
    }
    drop(alive);
}
