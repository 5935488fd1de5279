//! Takes connections and serves HTTP on them: HTTP/1.1 with upgrades (Socket.IO's websocket), nothing else.
//!
//! axum's own `serve` sets no time limit on a request's head: a client that sends a byte a minute holds its connection for ever.
//! [`edge::DeadlineStream`] does, which is why hyper is used here directly.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use edge::{DeadlineStream, RequestDeadlines, RequestTracker};
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

/// How long to wait after the system had no descriptor or memory for a connection: at once it would only fail again.
const BREATH: Duration = Duration::from_millis(100);

/// A listener at work.
pub struct Listening {
    stage: watch::Sender<ShutdownStage>,
    /// Closed when the last connection has ended.
    connections: mpsc::Receiver<()>,
}

/// How far the listener has shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ShutdownStage {
    /// It takes connections and requests.
    Open,
    /// It takes requests, and no new connections.
    Closing,
    /// It takes no requests either.
    Closed,
}

/// Serves `router` to every connection, with its address as [`ConnectInfo`].
pub fn listen(listener: TcpListener, router: Router, vital: &Vital) -> Listening {
    let (stage, stages) = watch::channel(ShutdownStage::Open);
    let (alive, connections) = mpsc::channel(1);
    tokio::spawn(vital.keep("the taking of connections", accept(listener, router, stages, alive)));
    Listening { stage, connections }
}

impl Listening {
    /// Takes no more connections. Those that are open go on: a polling client gets the goodbye by one more request.
    pub fn stop_accepting(&self) {
        self.stage.send_replace(ShutdownStage::Closing);
    }

    /// Takes no more requests either, and waits until every request that had begun is answered. It does not wait for websockets.
    pub async fn answered(mut self) {
        self.stage.send_replace(ShutdownStage::Closed);
        // Nothing is ever sent: it ends when every sender has gone.
        let _: Option<()> = self.connections.recv().await;
    }
}

async fn accept(listener: TcpListener, router: Router, mut stages: watch::Receiver<ShutdownStage>, alive: mpsc::Sender<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = reached(ShutdownStage::Closing, &mut stages) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(serve(stream, peer, router.clone(), stages.clone(), alive.clone()));
            }
            Err(error) if of_one_connection(&error) => tracing::debug!(%error, "a connection was gone before it was taken"),
            Err(error) => {
                tracing::error!(%error, "cannot take connections; trying again (is the limit on open files too low? see ulimit -n)");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Waits until the listener has reached this stage, or is gone.
async fn reached(stage: ShutdownStage, stages: &mut watch::Receiver<ShutdownStage>) {
    drop(stages.wait_for(|now| *now >= stage).await);
}

fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, mut stages: watch::Receiver<ShutdownStage>, alive: mpsc::Sender<()>) {
    // An event is a small packet that should not wait for the next one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
    }
    let requests = RequestTracker::default();
    let stream = DeadlineStream::new(stream, requests.clone(), RequestDeadlines::default());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let guard = requests.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move { answer.await.map(|answer| guard.until_given(answer)) }
    });
    let mut server = http1::Builder::new();
    // The stream has clocks of its own.
    server.header_read_timeout(None).max_buf_size(HEAD_BYTES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = reached(ShutdownStage::Closed, &mut stages) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended before its time");
    }
    drop(alive);
}
