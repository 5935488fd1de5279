//! The server, as programs mount and stop it.

use std::sync::Arc;

use axum::{Router, routing::any};
use engineioxide::service::EngineIoService;

use crate::{
    Config, Handler,
    connection_table::ConnectionTable,
    http::{Endpoint, serve},
};

/// A Socket.IO server. Mount its [`router`](Server::router), and [`close`](Server::close) it before the program ends.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    path: String,
}

impl Server {
    /// A server whose connections are the handler's.
    pub fn new<H: Handler>(config: Config, handler: Arc<H>) -> Server {
        let path = config.mount();
        let engine = config.engine();
        let table = Arc::new(ConnectionTable::new(config, handler));
        let engine = EngineIoService::with_config(Arc::clone(&table), engine);
        Server { endpoint: Endpoint { engine, table }, path }
    }

    /// The routes, with and without a slash at the end of [`Config::path`], to be merged into an axum 0.8 router:
    ///
    /// ```ignore
    /// let app = axum::Router::new().merge(server.router());
    /// axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
    /// ```
    ///
    /// Serve it with `TCP_NODELAY` set (`listener.tap_io(|tcp| _ = tcp.set_nodelay(true))`), or small packets wait for one another.
    /// Layers around it see the handshakes (requests without `sid`) and every polling request, but nothing within a websocket.
    /// A layer that limits or buffers bodies or times requests out must leave these routes alone: a poll lasts up to 25 s.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let router = Router::new().route(&format!("{}/", self.path), any(serve));
        let router = match self.path.as_str() {
            "" => router,
            path => router.route(path, any(serve)),
        };
        router.with_state(self.endpoint.clone())
    }

    /// Takes no new connections, closes all there are once what is queued for them has been flushed, and waits for it: at most 4 s.
    /// [`Handler::disconnected`] has been called for each when this returns in time. Stock clients reconnect by themselves.
    pub async fn close(&self) {
        self.endpoint.table.close().await;
    }

    /// Transports that are open at present, connected to `/` or not.
    pub fn connections(&self) -> usize {
        self.endpoint.table.links().len()
    }
}
