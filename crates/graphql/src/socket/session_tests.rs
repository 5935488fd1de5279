use super::*;
use crate::feed::Feed;
use crate::limits::Limits;
use crate::schema::schema;
use crate::settings::Settings;
use crate::testing::House;
use contract::{Clock, Time};
use edge::{Admission, AdmissionSettings};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use vital::Vital;

/// The client at the other end of a socket.
struct Client(WebSocketStream<DuplexStream>);

impl Client {
    /// Ann's. The server is there for as long as the test.
    async fn of(house: &House, limits: Limits) -> Self {
        let (here, there) = tokio::io::duplex(1 << 20);
        let (bus, clock) = (house.bus.clone(), Clock::from_fn(|| Time(0)));
        let schema = schema(Feed::start(bus.clone(), &Vital::new()), &limits);
        let admission = Admission::new(&AdmissionSettings::default(), &clock);
        let sockets = Sockets::new(bus, schema, Settings { limits, ..Settings::default() }, clock, admission);
        tokio::spawn(async move {
            let (_run, stopping) = watch::channel(false);
            let stream = WebSocketStream::from_raw_socket(there, Role::Server, None).await;
            serve(&sockets, Ipv4Addr::LOCALHOST.into(), stream, stopping).await;
        });
        let mut client = Self(WebSocketStream::from_raw_socket(here, Role::Client, None).await);
        client.say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer good" } })).await;
        assert_eq!(client.hears().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hears(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_large_ends_nothing() {
    let house = House::new();
    let mut client = Client::of(&house, Limits { event_bytes: 1_000, ..Limits::default() }).await;
    let query = "subscription { said: newMessage { a: body b: body } }";
    client.say(json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })).await;
    // It has begun once its socket answers what was said later, and its place is read.
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hears().await, json!({ "type": "pong" }));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let next = |text: &str| json!({ "id": "1", "type": "next", "payload": { "data": { "said": { "a": text, "b": text } } } });
    for _ in 0..2 {
        house.say(&"x".repeat(501));
        let heard = client.hears().await;
        assert_eq!((&heard["type"], &heard["id"]), (&json!("next"), &json!("1")), "{heard}");
        let payload = heard["payload"].as_object().unwrap();
        assert_eq!(payload["data"], Value::Null, "{heard}");
        assert_eq!(payload["errors"].as_array().unwrap().len(), 1, "{heard}");
        assert_eq!(payload["errors"][0]["path"], json!(["said"]));
        assert_eq!(payload["errors"][0]["extensions"]["code"], "too_large");
        house.say(&"x".repeat(500));
        assert_eq!(client.hears().await, next(&"x".repeat(500)), "the next one has bounds of its own");
    }
}
