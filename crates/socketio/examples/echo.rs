//! A server to try clients on: `cargo run -p socketio --example echo [port]`.
//!
//! `auth: {refuse: true}` is refused with data; `echo` acknowledges and sends back its argument; `burst {count}` sends so many events;
//! `binary` tells whether it was binary; `close` closes this connection; `stop` stops the server.

use std::{net::SocketAddr, sync::Arc};

use axum::serve::ListenerExt;
use serde_json::{Value, json};
use socketio::{BoxFuture, Config, Conn, ConnectError, Frame, Handler, Incoming, Server};
use tokio::{net::TcpListener, sync::Notify};

struct Echo {
    stop: Notify,
}

impl Handler for Echo {
    fn connect(self: Arc<Self>, _: Arc<Conn>, auth: Value) -> BoxFuture<'static, Result<(), ConnectError>> {
        Box::pin(async move {
            if auth.get("refuse").is_some() {
                return Err(ConnectError { message: "not today".to_owned(), data: json!({"code": "unauthenticated"}) });
            }
            Ok(())
        })
    }

    fn connected(&self, conn: &Arc<Conn>) {
        println!("connected {} from {:?}", conn.id(), conn.peer());
        let _ = conn.send(&Frame::raw("welcome", "{}"));
    }

    fn event(&self, conn: &Arc<Conn>, event: Incoming) {
        let argument = event.args.first().map_or("null", |arg| arg.get());
        match event.name.as_str() {
            "echo" => drop(conn.send(&Frame::raw("echo", argument))),
            "burst" => {
                let asked: Value = serde_json::from_str(argument).unwrap_or_default();
                for number in 0..asked.get("count").and_then(Value::as_u64).unwrap_or(0) {
                    let _ = conn.send(&Frame::raw("number", &number.to_string()));
                }
            }
            "close" => conn.close("asked"),
            "stop" => self.stop.notify_one(),
            _ => {}
        }
        if let Some(ack) = event.ack {
            let argument: Value = serde_json::from_str(argument).unwrap_or_default();
            let _ = conn.ack(ack, &json!({"ok": true, "binary": event.binary, "argument": argument}));
        }
    }

    fn disconnected(&self, conn: &Arc<Conn>, reason: &'static str) {
        println!("disconnected {}: {reason}", conn.id());
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let echo = Arc::new(Echo { stop: Notify::new() });
    let server = Server::new(Config::default(), Arc::clone(&echo));
    let app = server.router::<()>().into_make_service_with_connect_info::<SocketAddr>();
    let listener = listener.tap_io(|tcp| {
        let _ = tcp.set_nodelay(true);
    });
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            echo.stop.notified().await;
            server.close().await;
        })
        .await
}
