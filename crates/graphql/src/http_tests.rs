use super::*;
use crate::testing::House;
use axum::Router;
use edge::AdmissionSettings;
use futures_util::{SinkExt, StreamExt};
use http::{StatusCode, header};
use http_body_util::BodyExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tower::ServiceExt;

/// The routes of a house whose limits are the usual ones, and whose clock stands still.
fn routes(house: &House) -> Router {
    let clock = Clock::from_fn(|| contract::Time(0));
    let admission = Admission::new(&AdmissionSettings::default(), &clock);
    Graphql::start(house.bus.clone(), Settings::default(), clock, admission).routes().into()
}

async fn get(routes: &Router, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let request =
        token.into_iter().fold(http::Request::get(path), |request, token| request.header("authorization", format!("Bearer {token}")));
    let response = routes.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

const ME: &str = "/graphql?query=%7B__typename%7D";

#[tokio::test]
async fn pages_are_free_and_who_asks_by_get_needs_a_token() {
    let routes = routes(&House::new());
    for _ in 0..100 {
        let (status, page) = get(&routes, "/graphql", None).await;
        assert!(status == StatusCode::OK && page.contains("<html"), "{status} {page}");
    }
    // A token that was not seen before, behind an address of which all are.
    assert_eq!(get(&routes, ME, Some("good")).await, (StatusCode::OK, r#"{"data":{"__typename":"Query"}}"#.to_owned()));
    assert_eq!(get(&routes, ME, None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&routes, ME, Some("bad")).await.0, StatusCode::UNAUTHORIZED);
    for _ in 0..58 {
        get(&routes, ME, None).await;
    }
    assert_eq!(get(&routes, ME, Some("good too")).await.0, StatusCode::TOO_MANY_REQUESTS, "and what is no page counts");
    assert_eq!(get(&routes, "/graphql", None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn all_who_were_there_come_back_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, routes(&House::new())).into_future());
    let mut sockets = Vec::new();
    for _ in 0..100 {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, "graphql-transport-ws".parse().unwrap());
        let stream = TcpStream::connect(address).await.unwrap();
        sockets.push(tokio_tungstenite::client_async(request, stream).await.unwrap().0);
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        let init = format!(r#"{{"type":"connection_init","payload":{{"authorization":"Bearer good {number}"}}}}"#);
        socket.send(Message::text(init)).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert_eq!(answer, Message::Text(Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#)), "{number}");
    }
    server.abort();
}
