//! The crate over a real websocket, with services that answer out of hand: what clients may send, in which order it is taken, and how a
//! connection ends. What the services themselves do is told in `acceptance/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "all of this is tests")]

use bus::Bus;
use chat::{Chat, Settings};
use contract::calls::messages::{Head, InRoom, InRooms, ReadLog, RoomOf, RoomsOf, Send, Sent};
use contract::calls::state::{Mark, StateEnds, StateNews, StateNow, StateSince, StatesNow};
use contract::calls::users::{Authenticate, EndLease, RenewLease, Session, SetPresence, WhichEnded};
use contract::hint::{ReadMoved, Revoked, Typing};
use contract::log::{Batch, Entry, StateChanges};
use contract::{
    Answer, Caller, Clock, Cursor, Message, MessageId, Refusal, RoomId, RoomKind, Stamp, Time, TokenId, User, UserId, UserRef, Username,
};
use edge::{Admission, AdmissionSettings};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};

const ROOM: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
/// Rooms that no hint has told of, of 100 and of 101 members.
const SMALL: &str = "01890a5d-ac96-774b-bcce-b302099a8100";
const LARGE: &str = "01890a5d-ac96-774b-bcce-b302099a8101";

/// Services for which a token is a username.
struct Services {
    sent: Mutex<Vec<String>>,
    /// A send is answered when there is a permit.
    answers: Semaphore,
    ended: Mutex<Vec<Call>>,
    /// How many times it was asked how a user stands in a room.
    asked: AtomicUsize,
}

#[derive(Debug, PartialEq)]
enum Call {
    EndLease,
}

fn user(name: &str) -> User {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    let username = Username::try_from(name).unwrap();
    let display_name = (&username).into();
    User::plain(UserId::from_bytes(id), username, display_name, Time(0))
}

fn token(name: &str) -> TokenId {
    TokenId::from_bytes(user(name).id.bytes())
}

impl Answer<Authenticate> for Services {
    async fn answer(&self, _: &Caller, call: Authenticate) -> Result<Session, Refusal> {
        if call.token == "bad" {
            return Err(Refusal::unauthenticated());
        }
        if call.token == "later" {
            return Err(Refusal::busy("not now"));
        }
        if call.token == "often" {
            return Err(Refusal::rate_limited("not so often", Duration::from_secs(1)));
        }
        if call.token == "never" {
            std::future::pending::<()>().await;
        }
        Ok(Session { user: user(&call.token), token: token(&call.token), expires_at: Time(i64::MAX) })
    }
}

impl Answer<Send> for Services {
    async fn answer(&self, who: &Caller, call: Send) -> Result<Sent, Refusal> {
        self.sent.lock().unwrap().push(call.body.as_str().to_owned());
        self.answers.acquire().await.unwrap().forget();
        let (sender, id) = (who.user()?.username.clone(), MessageId::new());
        let message = Message { nonce: call.nonce, ..Message::plain(id, call.room, 1, sender, call.body, Time(0)) };
        Ok(Sent { message, created: true, warnings: Vec::new() })
    }
}

impl Answer<Head> for Services {
    async fn answer(&self, _: &Caller, _: Head) -> Result<Cursor, Refusal> {
        Ok(Cursor::new(1, vec![0]))
    }
}

impl Answer<RoomsOf> for Services {
    async fn answer(&self, _: &Caller, call: RoomsOf) -> Result<InRooms, Refusal> {
        // Of these two something has changed just where the log begins.
        let changed = if [user("own").id, user("much").id].contains(&call.user) { 0 } else { -1 };
        Ok(InRooms { rooms: Vec::new(), epoch: 1, positions: vec![0], changed: vec![changed] })
    }
}

impl Answer<StateEnds> for Services {
    async fn answer(&self, _: &Caller, _: StateEnds) -> Result<Vec<i64>, Refusal> {
        Ok(vec![0])
    }
}

fn now(key: &str) -> StateNow {
    StateNow { key: key.try_into().unwrap(), value: Some(json!({ "of": key }).try_into().unwrap()), stamp: Stamp::from_bytes([1; 16]) }
}

impl Answer<StatesNow> for Services {
    async fn answer(&self, _: &Caller, call: StatesNow) -> Result<Vec<(UserId, StateNow)>, Refusal> {
        Ok(call.keys.into_iter().map(|(user, key)| (user, now(key.as_str()))).collect())
    }
}

impl Answer<StateSince> for Services {
    async fn answer(&self, _: &Caller, call: StateSince) -> Result<StateNews, Refusal> {
        assert_eq!(call.cursor, Cursor::new(1, vec![0]));
        if call.user == user("much").id {
            return Ok(StateNews::Reset);
        }
        let room = RoomId::parse(ROOM).unwrap();
        let marks = vec![
            Mark { room, thread: None, read: 3, unread: 1, mentions: 1 },
            Mark { room, thread: Some(1), read: 2, unread: 0, mentions: 0 },
        ];
        Ok(StateNews::Changes { values: vec![now("k")], marks })
    }
}

impl Answer<RoomOf> for Services {
    async fn answer(&self, _: &Caller, call: RoomOf) -> Result<Option<InRoom>, Refusal> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let in_room = |member_count| InRoom { room: call.room, kind: RoomKind::Group, member_count };
        Ok(match call.room.to_string().as_str() {
            SMALL => Some(in_room(100)),
            LARGE => Some(in_room(101)),
            _ => None,
        })
    }
}

impl Answer<ReadLog> for Services {
    async fn answer(&self, _: &Caller, _: ReadLog) -> Result<Vec<Entry>, Refusal> {
        Ok(Vec::new())
    }
}

impl Answer<SetPresence> for Services {
    async fn answer(&self, _: &Caller, _: SetPresence) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Answer<RenewLease> for Services {
    async fn answer(&self, _: &Caller, _: RenewLease) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Answer<EndLease> for Services {
    async fn answer(&self, _: &Caller, _: EndLease) -> Result<(), Refusal> {
        self.ended.lock().unwrap().push(Call::EndLease);
        Ok(())
    }
}

impl Answer<WhichEnded> for Services {
    async fn answer(&self, _: &Caller, call: WhichEnded) -> Result<Vec<TokenId>, Refusal> {
        Ok(call.sessions.into_iter().map(|(token, _)| token).filter(|ended| *ended == token("eve")).collect())
    }
}

struct Running {
    bus: Bus,
    services: Arc<Services>,
    chat: Chat,
    address: SocketAddr,
}

async fn start(settings: Settings) -> Running {
    let bus = Bus::near();
    let services =
        Arc::new(Services { sent: Mutex::default(), answers: Semaphore::new(0), ended: Mutex::default(), asked: AtomicUsize::new(0) });
    bus.serve::<Authenticate, _>(&services).serve::<Send, _>(&services).serve::<Head, _>(&services).serve::<RoomsOf, _>(&services);
    bus.serve::<ReadLog, _>(&services).serve::<SetPresence, _>(&services).serve::<RenewLease, _>(&services);
    bus.serve::<EndLease, _>(&services).serve::<WhichEnded, _>(&services).serve::<RoomOf, _>(&services);
    bus.serve::<StateEnds, _>(&services).serve::<StatesNow, _>(&services).serve::<StateSince, _>(&services);
    let chat = Chat::start(bus.clone(), settings, Clock::system(), Admission::new(&AdmissionSettings::unlimited(), &Clock::system()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = chat.router::<()>().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Running { bus, services, chat, address }
}

impl Running {
    /// Waits until anything is kept of so many connections only.
    async fn keeps(&self, count: usize) {
        soon(async {
            while self.chat.kept() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing happened")
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// A transport, if there is one.
    async fn transport(running: &Running) -> Result<Self, tungstenite::Error> {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", running.address);
        let mut socket = Self(soon(connect_async(url)).await?.0);
        socket.next().await;
        Ok(socket)
    }

    /// Asks to be connected with an auth.
    async fn ask(running: &Running, auth: Value) -> Self {
        let mut socket = Self::transport(running).await.unwrap();
        socket.send(&format!("40{auth}")).await;
        socket
    }

    /// Connects with an auth; also what CONNECT was answered with.
    async fn open(running: &Running, auth: Value) -> (Self, String) {
        let mut socket = Self::ask(running, auth).await;
        let answer = socket.next().await.unwrap();
        (socket, answer)
    }

    /// Connects as somebody, and takes `ready`.
    async fn of(running: &Running, name: &str) -> Self {
        let (mut socket, answer) = Self::open(running, json!({ "token": name })).await;
        assert!(answer.starts_with("40"), "{answer}");
        assert_eq!(socket.event().await.0, "ready");
        socket
    }

    async fn send(&mut self, text: &str) {
        soon(self.0.send(tungstenite::Message::text(text))).await.unwrap();
    }

    async fn emit(&mut self, id: u32, event: &str, payload: Value) {
        self.send(&format!("42{id}{}", json!([event, payload]))).await;
    }

    /// The next packet but pings; `None` when the server has closed.
    async fn next(&mut self) -> Option<String> {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(tungstenite::Message::Text(text))) if text.as_str() == "2" => self.send("3").await,
                Some(Ok(tungstenite::Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(tungstenite::Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn event(&mut self) -> (String, Value) {
        let text = self.next().await.expect("an event");
        serde_json::from_str(text.strip_prefix("42").unwrap_or_else(|| panic!("{text} is no event"))).unwrap()
    }

    /// The acknowledgement of this event.
    async fn ack(&mut self, id: u32) -> Value {
        let text = self.next().await.expect("an acknowledgement");
        let list = text.strip_prefix(&format!("43{id}")).unwrap_or_else(|| panic!("{text} does not acknowledge {id}"));
        serde_json::from_str::<[Value; 1]>(list).unwrap()[0].clone()
    }

    /// The code with which this event was refused.
    async fn refused(&mut self, id: u32) -> String {
        let ack = self.ack(id).await;
        assert_eq!(ack["ok"], false, "{ack}");
        ack["error"]["code"].as_str().unwrap().to_owned()
    }
}

fn body(text: impl std::fmt::Display) -> Value {
    json!({ "room": ROOM, "body": text.to_string() })
}

#[tokio::test]
async fn a_bad_token_is_a_connect_error_with_a_code() {
    let running = start(Settings::default()).await;
    for (auth, code) in [(json!({ "token": "bad" }), "unauthenticated"), (json!({ "token": 7 }), "invalid_request")] {
        let (_, answer) = Socket::open(&running, auth).await;
        let error: Value = serde_json::from_str(answer.strip_prefix("44").unwrap()).unwrap();
        assert_eq!(error["data"]["code"], code);
        assert_eq!(error["data"]["detail"], error["message"]);
    }
}

/// The connection was let in, told this code, and closed without a word of a disconnection: stock clients come back by themselves.
async fn must_be_sent_away((mut socket, answer): (Socket, String), code: &str) {
    assert!(answer.starts_with("40"), "stock clients do not come back after a connect_error: {answer}");
    let (name, error) = socket.event().await;
    assert_eq!((name.as_str(), &error["code"]), ("error", &json!(code)));
    assert_eq!(socket.next().await, None, "no word of a disconnection, nor Engine.IO's: after that the Python client stays away");
}

#[tokio::test]
async fn who_cannot_be_let_in_now_is_told_so_and_may_come_back() {
    let running = start(Settings::default()).await;
    for (name, code) in [("later", "busy"), ("often", "rate_limited")] {
        let (mut socket, answer) = Socket::open(&running, json!({ "token": name })).await;
        socket.emit(1, "message", body("too early")).await;
        must_be_sent_away((socket, answer), code).await;
    }
    assert!(running.services.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_can_do_nothing_and_who_authenticates_is_served_in_order() {
    let running = start(Settings::default()).await;
    running.services.answers.add_permits(1);
    let (mut socket, answer) = Socket::open(&running, json!({ "token": null })).await;
    assert!(answer.starts_with("40"), "{answer}");
    socket.emit(1, "message", body("early")).await;
    assert_eq!(socket.refused(1).await, "unauthenticated");
    socket.emit(2, "authenticate", json!({ "token": "bad" })).await;
    socket.emit(3, "authenticate", json!({})).await;
    socket.emit(4, "authenticate", json!({ "token": "ann", "username": "eve" })).await;
    socket.emit(5, "authenticate", json!({ "token": "ann" })).await;
    socket.emit(6, "message", body("held")).await;
    assert_eq!(socket.refused(2).await, "unauthenticated");
    assert_eq!(socket.refused(3).await, "invalid_request");
    assert_eq!(socket.refused(4).await, "forbidden");
    assert_eq!(socket.ack(5).await["user"]["username"], "ann");
    let (mut ready, mut acked) = (false, false);
    while !(ready && acked) {
        let text = socket.next().await.unwrap();
        acked |= text.starts_with("436[{\"ok\":true,\"message\"");
        ready |= text.starts_with("42[\"ready\"");
    }
    assert_eq!(*running.services.sent.lock().unwrap(), ["held"]);
    socket.emit(7, "authenticate", json!({ "token": "ann" })).await;
    assert_eq!(socket.ack(7).await["ok"], true);
    socket.emit(8, "authenticate", json!({ "token": "bob" })).await;
    assert_eq!(socket.refused(8).await, "conflict");
}

#[tokio::test]
async fn ready_tells_what_is_ones_own() {
    let running = start(Settings::default()).await;
    let ready = async |auth: Value| {
        let (mut socket, _) = Socket::open(&running, auth).await;
        let (name, ready) = socket.event().await;
        assert_eq!(name, "ready");
        ready
    };
    let fresh = ready(json!({ "token": "own" })).await;
    assert_eq!((&fresh["state_reset"], fresh.get("state"), fresh.get("marks")), (&json!(true), None, None));
    let told = ready(json!({ "token": "own", "cursor": "1.1.0" })).await;
    assert_eq!(told.get("state_reset"), None);
    assert_eq!(told["state"], json!([{ "key": "k", "value": { "of": "k" }, "stamp": Stamp::from_bytes([1; 16]) }]));
    let (of_room, of_thread) = (
        json!({ "room": ROOM, "read": 3, "unread": 1, "mentions": 1 }),
        json!({ "room": ROOM, "thread": 1, "read": 2, "unread": 0, "mentions": 0 }),
    );
    assert_eq!(told["marks"], json!([of_room, of_thread]));
    let quiet = ready(json!({ "token": "ann", "cursor": "1.1.0" })).await;
    assert_eq!((&quiet["resumed"], &quiet["state"], &quiet["marks"]), (&json!(true), &json!([]), &json!([])));
    let much = ready(json!({ "token": "much", "cursor": "1.1.0" })).await;
    assert_eq!((&much["resumed"], &much["state_reset"]), (&json!(true), &json!(true)));
    let cut_short = ready(json!({ "token": "ann", "cursor": "1.1.0~r" })).await;
    assert_eq!((&cut_short["resumed"], &cut_short["state_reset"]), (&json!(true), &json!(true)), "it never came to a ready");
}

#[tokio::test]
async fn ones_own_sockets_hear_of_what_is_ones_own() {
    let running = start(Settings::default()).await;
    let (mut ann, mut other, mut bob) =
        (Socket::of(&running, "ann").await, Socket::of(&running, "ann").await, Socket::of(&running, "bob").await);
    let changed = |name: &str, key: &str| (user(name).id, key.try_into().unwrap());
    let batch =
        |end, keys| Batch { epoch: 1, partition: 0, first: 1, last: 0, entries: Vec::new(), state: Some(StateChanges { end, keys }) };
    running.bus.publish(batch(2, vec![changed("ann", "k"), changed("eve", "k")]));
    running.bus.publish(batch(2, vec![changed("ann", "again")]));
    running.bus.publish(batch(3, vec![changed("bob", "b")]));
    for socket in [&mut ann, &mut other] {
        let (name, told) = socket.event().await;
        assert_eq!((name.as_str(), &told["key"], &told["value"]), ("state changed", &json!("k"), &json!({ "of": "k" })));
    }
    assert_eq!(bob.event().await.1["key"], "b");
    let ann_ref = UserRef { id: user("ann").id, username: user("ann").username };
    let room = RoomId::parse(ROOM).unwrap();
    running.bus.publish(ReadMoved { room, user: ann_ref, seq: 4, unread: Some(2), mentions: Some(1), place: Some((0, 0)) });
    for socket in [&mut ann, &mut other] {
        let (name, told) = socket.event().await;
        assert_eq!((name.as_str(), told), ("read", json!({ "room": ROOM, "username": "ann", "seq": 4, "unread": 2, "mentions": 1 })));
    }
}

#[tokio::test]
async fn sends_are_taken_in_order_and_not_too_many_at_once() {
    let running = start(Settings::default()).await;
    let mut socket = Socket::of(&running, "ann").await;
    for id in 0..65 {
        socket.emit(id, "message", body(id)).await;
    }
    assert_eq!(socket.refused(64).await, "rate_limited");
    running.services.answers.add_permits(64);
    for _ in 0..64 {
        assert!(socket.next().await.unwrap().contains("\"ok\":true"));
    }
    assert_eq!(*running.services.sent.lock().unwrap(), (0..64).map(|id| id.to_string()).collect::<Vec<_>>());
    running.services.answers.add_permits(1);
    socket.emit(66, "message", body("again")).await;
    assert_eq!(socket.ack(66).await["message"]["body"], "again");
}

#[tokio::test]
async fn what_waits_for_an_authentication_is_bounded_in_bytes() {
    let running = start(Settings::default()).await;
    let (mut socket, _) = Socket::open(&running, json!({})).await;
    socket.emit(0, "authenticate", json!({ "token": "never" })).await;
    // 100 KB each, of which five fit.
    for id in 1..=7 {
        socket.emit(id, "message", body("x".repeat(100_000))).await;
    }
    assert_eq!(socket.refused(6).await, "rate_limited");
    assert_eq!(socket.refused(7).await, "rate_limited");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_hurts_nobody() {
    let running = start(Settings::default()).await;
    let mut socket = Socket::of(&running, "ann").await;
    let wrong = [
        (r#"["message"]"#, "invalid_request"),
        (r#"["message",{},{}]"#, "invalid_request"),
        (r#"["message","hello"]"#, "invalid_request"),
        (r#"["message",[]]"#, "invalid_request"),
        (r#"["message",null]"#, "invalid_request"),
        (r#"["message",{"room":7,"body":"x"}]"#, "invalid_request"),
        (r#"["message",{"room":"nowhere","body":"x"}]"#, "not_found"),
        (r#"["message",{"room":"nowhere","body":" "}]"#, "invalid_request"),
        (r#"["message",{"room":"nowhere","body":"x","sender":"eve"}]"#, "forbidden"),
        (r#"["shout",{}]"#, "invalid_request"),
        (r#"["typing",{"room":"01890a5d-ac96-774b-bcce-b302099a8057","typing":true}]"#, "not_found"),
        (r#"["read",{"room":"01890a5d-ac96-774b-bcce-b302099a8057","seq":-1}]"#, "invalid_request"),
        (r#"["read",{"room":"01890a5d-ac96-774b-bcce-b302099a8057","seq":1e99}]"#, "invalid_request"),
    ];
    for (id, (event, code)) in (0..).zip(wrong) {
        socket.send(&format!("42{id}{event}")).await;
        assert_eq!(socket.refused(id).await, code, "{event}");
    }
    socket.send(r#"42["message",{}]"#).await;
    socket.emit(99, "shout", json!({})).await;
    let ack = socket.ack(99).await;
    assert!(ack["error"]["detail"].as_str().unwrap().contains("create room"), "the events that there are: {ack}");
}

#[tokio::test]
async fn an_acknowledgement_warns_of_fields_that_mean_nothing_here() {
    let running = start(Settings::default()).await;
    running.services.answers.add_permits(9);
    let (mut socket, _) = Socket::open(&running, json!({})).await;
    socket.emit(1, "authenticate", json!({ "token": "ann", "colour": "red" })).await;
    let ack = socket.ack(1).await;
    assert_eq!(ack["user"]["username"], "ann");
    assert_eq!(
        ack["warnings"],
        json!([{ "code": "unknown_field", "field": "colour", "detail": "there is no field \"colour\" here: it was ignored" }])
    );
    assert_eq!(socket.event().await.0, "ready");
    let typing = json!({ "room": SMALL, "typing": true, "mood": "good", "größe": { "deep": [1] } });
    socket.emit(2, "typing", typing).await;
    let ack = socket.ack(2).await;
    assert_eq!(ack["warnings"].as_array().unwrap().iter().map(|one| &one["field"]).collect::<Vec<_>>(), ["größe", "mood"]);
    socket.emit(3, "message", json!({ "room": ROOM, "body": "x", "sender": "ann", "username": "ann" })).await;
    let ack = socket.ack(3).await;
    assert_eq!(ack.as_object().unwrap().keys().collect::<Vec<_>>(), ["message", "ok"], "known fields are nothing to warn of: {ack}");
    socket.emit(4, "message", json!({ "room": ROOM, "body": " ", "colour": "red" })).await;
    let ack = socket.ack(4).await;
    assert_eq!(ack.as_object().unwrap().keys().collect::<Vec<_>>(), ["error", "ok"], "{ack}");
}

#[tokio::test]
async fn a_token_that_ended_takes_its_sockets_along() {
    let running = start(Settings::default()).await;
    let mut ann = Socket::of(&running, "ann").await;
    let mut bob = Socket::of(&running, "bob").await;
    let mut eve = Socket::of(&running, "eve").await;
    running.bus.publish(Revoked::Tokens(vec![token("ann")]));
    let (name, error) = ann.event().await;
    assert_eq!((name.as_str(), &error["code"]), ("error", &json!("unauthenticated")));
    assert_eq!(ann.next().await.as_deref(), Some("41"), "told that it is disconnected");
    assert_eq!(ann.next().await.as_deref().unwrap_or("1"), "1");
    running.bus.publish(Revoked::AskAgain);
    assert_eq!(eve.event().await.1["code"], "unauthenticated");
    bob.emit(1, "shout", json!({})).await;
    assert_eq!(bob.refused(1).await, "invalid_request", "others stay");
}

#[tokio::test]
async fn an_address_has_so_many_sockets_and_gets_them_back() {
    let running = start(Settings { sockets_per_address: 5, ..Settings::default() }).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(Socket::of(&running, "ann").await);
    }
    must_be_sent_away(Socket::open(&running, json!({ "token": "ann" })).await, "rate_limited").await;
    must_be_sent_away(Socket::open(&running, json!({})).await, "rate_limited").await;
    sockets.pop();
    running.keeps(4).await;
    Socket::of(&running, "ann").await;
}

#[tokio::test]
async fn nothing_is_left_of_connections_that_are_gone() {
    let count = 100;
    let running = start(Settings { sockets_per_address: count, ..Settings::default() }).await;
    // Nobody yet; nobody any more; somebody by the event; somebody; somebody who is still being looked up.
    let mut gone = Vec::new();
    for number in 0..count {
        let mut socket = match number % 5 {
            3 => Socket::of(&running, "ann").await,
            4 => Socket::ask(&running, json!({ "token": "never" })).await,
            _ => Socket::open(&running, json!({})).await.0,
        };
        match number % 5 {
            1 => socket.send("41").await,
            2 => {
                socket.emit(1, "authenticate", json!({ "token": "ann" })).await;
                assert_eq!(socket.ack(1).await["ok"], true);
            }
            _ => {}
        }
        gone.push(socket);
    }
    drop(gone);
    running.keeps(0).await;
    let mut back = Vec::new();
    for _ in 0..count {
        back.push(Socket::of(&running, "ann").await);
    }
    assert_eq!(running.chat.kept(), count);
}

#[tokio::test]
async fn an_address_opens_so_many_transports_and_then_has_to_wait() {
    let running = start(Settings { sockets_per_address: 3, ..Settings::default() }).await;
    let refused = async || match Socket::transport(&running).await {
        Err(tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status(), 429);
            answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap()
        }
        Err(error) => panic!("{error}"),
        Ok(_) => 0,
    };
    for _ in 0..6 {
        assert_eq!(refused().await, 0, "all sockets of an address may come back at once, and then once more");
    }
    assert_eq!(refused().await, 2, "one more in 10 s / 6");
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    assert_eq!(refused().await, 0);
    assert!(refused().await > 0);
}

#[tokio::test]
async fn typing_in_a_room_that_no_hint_has_told_of_yet_is_passed_on() {
    let running = start(Settings::default()).await;
    let mut told = running.bus.subscribe::<Typing>();
    let mut ann = Socket::of(&running, "ann").await;
    let typing = |room: &str| json!({ "room": room, "typing": true });
    for (id, room) in (0..).zip([LARGE, SMALL]) {
        ann.emit(id, "typing", typing(room)).await;
        assert_eq!(ann.ack(id).await["ok"], true);
    }
    let Some(bus::Heard::Hint(hint)) = soon(told.next()).await else { panic!("it is passed on") };
    assert_eq!((hint.room.to_string().as_str(), hint.user.username.as_str()), (SMALL, "ann"), "not in a room that is too large");
    let asked = || running.services.asked.load(Ordering::Relaxed);
    let before = asked();
    for id in 2..6 {
        ann.emit(id, "typing", typing(SMALL)).await;
        assert_eq!(ann.ack(id).await["ok"], true);
    }
    assert_eq!(asked(), before, "a member is not asked about again within a second");
    for id in 6..8 {
        ann.emit(id, "typing", typing(ROOM)).await;
        assert_eq!(ann.refused(id).await, "not_found");
    }
    assert_eq!(asked(), before + 2, "who is outside may have joined since");
}

#[tokio::test]
async fn nobody_may_stay_nobody() {
    let running = start(Settings { authenticate_within: Duration::from_millis(50), ..Settings::default() }).await;
    let (mut socket, _) = Socket::open(&running, json!({})).await;
    let (name, error) = socket.event().await;
    assert_eq!((name.as_str(), &error["code"]), ("error", &json!("unauthenticated")));
}

#[tokio::test]
async fn clients_are_sent_away_one_after_the_other_and_served_until_then() {
    let running = start(Settings { goodbyes: Duration::from_millis(600), ..Settings::default() }).await;
    let (mut one, mut two, mut three) =
        (Socket::of(&running, "ann").await, Socket::of(&running, "ann").await, Socket::of(&running, "ann").await);
    let began = Instant::now();
    let gone = async |socket: &mut Socket| {
        let (name, error) = socket.event().await;
        assert_eq!((name.as_str(), &error["code"]), ("error", &json!("busy")));
        began.elapsed()
    };
    let ((), one, two, three) = tokio::join!(running.chat.send_away(), gone(&mut one), gone(&mut two), gone(&mut three));
    let mut gone = [one, two, three];
    gone.sort_unstable();
    assert!(gone[0] < Duration::from_millis(200), "{gone:?}");
    assert!(gone[1] >= Duration::from_millis(200) && gone[2] >= Duration::from_millis(400), "{gone:?}");
    // Whoever comes meanwhile is served, and told at the end.
    let mut late = Socket::of(&running, "ann").await;
    running.chat.drain().await;
    running.chat.close().await;
    assert_eq!(late.event().await.0, "error");
}

#[tokio::test]
async fn a_restart_answers_what_was_taken_then_tells_everybody() {
    let running = start(Settings::default()).await;
    let mut socket = Socket::of(&running, "ann").await;
    socket.emit(1, "message", body("taken")).await;
    while running.services.sent.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let stop = async {
        running.chat.drain().await;
        running.chat.close().await;
    };
    let client = async {
        loop {
            let (mut late, _) = Socket::open(&running, json!({ "token": "bob" })).await;
            let (name, said) = late.event().await;
            if name == "error" {
                assert_eq!(said["code"], "busy");
                break;
            }
        }
        socket.emit(2, "message", body("too late")).await;
        assert_eq!(socket.refused(2).await, "busy");
        running.services.answers.add_permits(1);
        assert_eq!(socket.ack(1).await["message"]["body"], "taken");
        let (name, error) = socket.event().await;
        assert_eq!((name.as_str(), &error["code"]), ("error", &json!("busy")));
        // No word of a disconnection: stock clients come back by themselves.
        assert_eq!(socket.next().await, None);
    };
    tokio::join!(stop, client);
    assert_eq!(*running.services.ended.lock().unwrap(), [Call::EndLease]);
}
