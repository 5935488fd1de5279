//! A server that tells what happens to it, and clients that speak by hand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use http::{StatusCode, request::Parts};
use serde_json::{Value, json};
use socketio::{BoxFuture, Config, Conn, ConnectError, Frame, Handler, Incoming, SendError, Server, TransportGuard};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Transports that are let in, where a test takes none away.
const PLACES: usize = 1_000;

/// What the handler was told.
pub enum Told {
    Connected(Arc<Conn>),
    Event(String, String),
    Disconnected(&'static str),
}

/// Records everything. `auth.refuse` is refused; with `auth.wait`, the answer waits for the gate; with `auth.close` it closes first. Acknowledges every event with its
/// own arguments, `binary` included.
pub struct Recorder {
    told: mpsc::UnboundedSender<Told>,
    pub gate: Semaphore,
    /// Places for transports.
    pub places: Arc<Semaphore>,
    /// Every connection that has asked to be connected.
    asked: Mutex<Vec<Weak<Conn>>>,
}

impl Recorder {
    /// How many connections are still kept anywhere.
    pub fn kept(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|conn| conn.strong_count() > 0).count()
    }
}

impl Handler for Recorder {
    fn open(&self, _: &Parts) -> Result<TransportGuard, Box<Response>> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(Box::new(place)),
            Err(_) => Err(Box::new(StatusCode::TOO_MANY_REQUESTS.into_response())),
        }
    }

    fn connect(self: Arc<Self>, conn: Arc<Conn>, auth: Value) -> BoxFuture<'static, Result<(), ConnectError>> {
        self.asked.lock().unwrap().push(Arc::downgrade(&conn));
        if auth.get("close").is_some() {
            conn.close("asked");
        }
        Box::pin(async move {
            // Kept for as long as the answer takes, as a handler may do.
            let _conn = conn;
            if auth.get("wait").is_some() {
                self.gate.acquire().await.unwrap().forget();
            }
            match auth.get("refuse") {
                None => Ok(()),
                Some(data) => Err(ConnectError { message: "refused".to_owned(), data: data.clone() }),
            }
        })
    }

    fn connected(&self, conn: &Arc<Conn>) {
        let _ = self.told.send(Told::Connected(Arc::clone(conn)));
    }

    fn event(&self, conn: &Arc<Conn>, event: Incoming) {
        let args: Vec<&str> = event.args.iter().map(|arg| arg.get()).collect();
        let text = args.join(" ");
        if let Some(ack) = event.ack {
            let reply = json!({"got": text, "binary": event.binary});
            conn.ack(ack, &reply).unwrap();
        }
        if event.name == "close" {
            conn.close("asked");
        }
        let _ = self.told.send(Told::Event(event.name, text));
    }

    fn disconnected(&self, _: &Arc<Conn>, reason: &'static str) {
        let _ = self.told.send(Told::Disconnected(reason));
    }
}

pub struct Running {
    pub server: Arc<Server>,
    pub recorder: Arc<Recorder>,
    pub address: SocketAddr,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Running {
    pub async fn start(config: Config) -> Running {
        let (sender, told) = mpsc::unbounded_channel();
        let recorder =
            Arc::new(Recorder { told: sender, gate: Semaphore::new(0), places: Arc::new(Semaphore::new(PLACES)), asked: Mutex::default() });
        let server = Arc::new(Server::new(config, Arc::clone(&recorder)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = server.router::<()>().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Running { server, recorder, address, told }
    }

    async fn told(&mut self) -> Told {
        soon(self.told.recv()).await.unwrap()
    }

    pub async fn connected(&mut self) -> Arc<Conn> {
        match self.told().await {
            Told::Connected(conn) => conn,
            Told::Event(name, _) => panic!("the event {name} instead of a connection"),
            Told::Disconnected(reason) => panic!("disconnected by {reason}"),
        }
    }

    pub async fn event(&mut self) -> (String, String) {
        match self.told().await {
            Told::Event(name, args) => (name, args),
            Told::Connected(_) => panic!("a connection instead of an event"),
            Told::Disconnected(reason) => panic!("disconnected by {reason}"),
        }
    }

    pub async fn disconnected(&mut self) -> &'static str {
        match self.told().await {
            Told::Disconnected(reason) => reason,
            Told::Event(name, _) => panic!("the event {name} instead of an end"),
            Told::Connected(_) => panic!("a connection instead of an end"),
        }
    }

    /// The reason of an end, or nothing for anything else.
    pub async fn disconnected_or_event(&mut self) -> Option<&'static str> {
        match self.told().await {
            Told::Disconnected(reason) => Some(reason),
            Told::Event(..) | Told::Connected(_) => None,
        }
    }

    pub fn told_nothing_more(&mut self) -> bool {
        self.told.try_recv().is_err()
    }

    /// Waits until nothing is kept of any connection.
    pub async fn forgotten(&self) {
        soon(async {
            while self.recorder.kept() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until no transport is open.
    pub async fn empty(&self) {
        soon(async {
            while self.server.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened")
}

/// Sends until the connection is full; answers how many frames went in.
pub fn fill(conn: &Conn, frame: &Frame) -> usize {
    (0..)
        .find(|_| match conn.send(frame) {
            Ok(()) => false,
            Err(SendError::Full) => true,
            Err(SendError::Closed) => panic!("closed"),
        })
        .unwrap()
}

/// A websocket that speaks Engine.IO by hand.
pub struct WebSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl WebSocket {
    /// Connects, and takes the open packet.
    pub async fn open(address: SocketAddr) -> WebSocket {
        let mut socket = WebSocket::bare(address, "").await;
        assert!(socket.text().await.unwrap().starts_with("0{\"sid\":"));
        socket
    }

    /// Connects to `/` too, with an auth; answers the CONNECT's answer.
    pub async fn connect(address: SocketAddr, auth: &str) -> (WebSocket, String) {
        let mut socket = WebSocket::open(address).await;
        socket.send(&format!("40{auth}")).await;
        let answer = socket.next().await.unwrap();
        (socket, answer)
    }

    /// Asks to be connected to `/`, and waits for no answer.
    pub async fn connect_only(address: SocketAddr, auth: &str) -> WebSocket {
        let mut socket = WebSocket::open(address).await;
        socket.send(&format!("40{auth}")).await;
        socket
    }

    /// Only the websocket.
    pub async fn bare(address: SocketAddr, query: &str) -> WebSocket {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}");
        WebSocket(soon(connect_async(url)).await.unwrap().0)
    }

    pub async fn send(&mut self, text: &str) {
        soon(self.0.send(Message::text(text))).await.unwrap();
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        soon(self.0.send(Message::binary(bytes.to_vec()))).await.unwrap();
    }

    /// The next text, pings included; nothing when the server has closed.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            match soon(self.0.next()).await? {
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message, with pings answered.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match self.text().await?.as_str() {
                "2" => {
                    let _ = self.0.send(Message::text("3")).await;
                }
                "1" => {}
                text => return Some(text.to_owned()),
            }
        }
    }

    /// Reads until the server closes.
    pub async fn rest(mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(text) = self.next().await {
            rest.push(text);
        }
        rest
    }
}

/// A polling session by hand.
pub struct Polling {
    address: SocketAddr,
    pub sid: String,
    pub open: Value,
}

impl Polling {
    pub async fn open(address: SocketAddr) -> Polling {
        let (status, body) = http(address, "GET", "/socket.io/?EIO=4&transport=polling", "").await;
        assert_eq!(status, 200, "{body}");
        let open: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
        Polling { address, sid: open["sid"].as_str().unwrap().to_owned(), open }
    }

    /// Connects to `/` too; answers the CONNECT's answer. Takes the first ping as well, so that it does not come later, when a test
    /// has filled the queue: the engine gives up a client that has no room for a ping.
    pub async fn connect(address: SocketAddr, auth: &str) -> (Polling, String) {
        let polling = Polling::open(address).await;
        assert_eq!(polling.post(&format!("40{auth}")).await.0, 200);
        let (mut pinged, mut answer) = (false, None);
        while !pinged || answer.is_none() {
            for text in polling.poll().await.1.split('\u{1e}') {
                match text {
                    "2" => pinged = true,
                    text => answer = Some(text.to_owned()),
                }
            }
        }
        (polling, answer.unwrap())
    }

    fn path(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    pub async fn post(&self, body: &str) -> (u16, String) {
        http(self.address, "POST", &self.path(), body).await
    }

    /// Begins to post a body of which nothing comes; then the answer can be waited for.
    pub async fn begin_post(&self, length: usize) -> impl Future<Output = String> + use<> {
        let head = format!("POST {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n", self.path());
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.write_all(head.as_bytes()).await.unwrap();
        async move {
            let mut answer = Vec::new();
            let _ = tcp.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        }
    }

    pub async fn poll(&self) -> (u16, String) {
        http(self.address, "GET", &self.path(), "").await
    }

    /// Polls until there are so many messages.
    pub async fn messages(&self, count: usize) -> Vec<String> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let (status, body) = self.poll().await;
            assert_eq!(status, 200, "{body}");
            let texts = body.split('\u{1e}').filter(|text| !matches!(*text, "2" | "6" | "1"));
            messages.extend(texts.map(str::to_owned));
        }
        assert_eq!(messages.len(), count);
        messages
    }
}

/// One HTTP request on a connection of its own.
pub async fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let answer = exchange(address, &head, body, "").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Asks for a websocket with just these header lines; answers the whole answer's head, in lower case. The line is closed behind it.
pub async fn handshake(address: SocketAddr, headers: &[&str]) -> String {
    let head = format!("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\n{}\r\n", headers.join("\r\n"));
    exchange(address, &head, "", "\r\n\r\n").await.to_lowercase()
}

/// Sends a request, head (without the empty line) and body; answers what comes until `end`, or until the server has closed.
async fn exchange(address: SocketAddr, head: &str, body: &str, end: &str) -> String {
    let exchange = async {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(head.as_bytes()).await.unwrap();
        tcp.write_all(b"\r\n").await.unwrap();
        // The server may answer, and close, before it has all.
        let _ = tcp.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let mut some = [0; 4096];
        while let Ok(read @ 1..) = tcp.read(&mut some).await {
            answer.extend_from_slice(&some[..read]);
            if !end.is_empty() && String::from_utf8_lossy(&answer).contains(end) {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    soon(exchange).await
}
