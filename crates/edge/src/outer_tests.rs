use super::*;
use crate::{Json, ProblemBody};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use contract::Warning;
use http_body_util::BodyExt;
use serde::Deserialize;
use std::net::SocketAddr;
use tower::ServiceExt;

async fn length(Json(value): Json<serde_json::Value>) -> String {
    value.to_string().len().to_string()
}

#[derive(Deserialize)]
struct Numbered {
    seq: i64,
}

async fn number(Json(Numbered { seq }): Json<Numbered>) -> Result<String, Problem> {
    if seq > 0 { Ok(seq.to_string()) } else { Err(Refusal::invalid("seq", "seq is 1 or more").into()) }
}

async fn address(peer: Peer) -> String {
    peer.0.to_string()
}

async fn fall() -> String {
    panic!("mind the gap")
}

fn app(origins: &[&str]) -> Router {
    let router = Router::new().route("/json", post(length).get(address)).route("/seq", post(number)).route("/fall", get(fall));
    let allowed_origins = AllowedOrigins::try_from(origins.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>()).unwrap();
    let trusted_proxies = TrustedProxies::try_from(vec!["10.0.0.0/8".to_owned()]).unwrap();
    outer(router, OuterSettings { frame_bytes: 100, allowed_origins, trusted_proxies })
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Request {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "chat.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

async fn problem(response: Response) -> ProblemBody {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: ProblemBody = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    body
}

#[tokio::test]
async fn a_wrong_route_or_method_is_a_problem() {
    let response = app(&[]).oneshot(request("GET", "/nowhere", &[], Body::empty())).await.unwrap();
    assert_eq!(problem(response).await.code, Code::NotFound);
    let response = app(&[]).oneshot(request("PATCH", "/json", &[], Body::empty())).await.unwrap();
    assert_eq!(response.headers()["allow"], "POST,GET,HEAD");
    assert_eq!(problem(response).await.code, Code::MethodNotAllowed);
}

#[tokio::test]
async fn a_request_id_is_kept_or_made() {
    let given = app(&[]).oneshot(request("GET", "/json", &[("x-request-id", "abc-1")], Body::empty())).await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "abc-1");
    for headers in [&[][..], &[("x-request-id", "a b\"c")], &[("x-request-id", "")]] {
        let made = app(&[]).oneshot(request("GET", "/json", headers, Body::empty())).await.unwrap();
        assert_eq!(made.headers()["x-request-id"].len(), 36);
        assert_eq!(made.headers()["x-content-type-options"], "nosniff");
        assert_eq!(made.headers()["cache-control"], "no-store", "a text too: long polling answers with one");
    }
}

#[tokio::test]
async fn a_large_body_is_refused_however_it_comes() {
    let json = [("content-type", "application/json")];
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(92));
    let right = app(&[]).oneshot(request("POST", "/json", &json, Body::from(text))).await.unwrap();
    assert_eq!(right.status(), 200);
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(93));
    let announced = [("content-type", "application/json"), ("content-length", "101")];
    let response = app(&[]).oneshot(request("POST", "/json", &announced, Body::from(text.clone()))).await.unwrap();
    assert_eq!(problem(response).await.code, Code::TooLarge);
    let pieces = text.into_bytes().chunks(10).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let stream = Body::from_stream(futures_util::stream::iter(pieces));
    let response = app(&[]).oneshot(request("POST", "/json", &json, stream)).await.unwrap();
    assert_eq!(problem(response).await.code, Code::TooLarge);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let json = [("content-type", "application/json")];
    let response = app(&[]).oneshot(request("POST", "/json", &json, Body::from("[1]"))).await.unwrap();
    assert_eq!(problem(response).await.code, Code::InvalidRequest);
    let response = app(&[]).oneshot(request("POST", "/json", &json, Body::from(vec![b'{', 0xff]))).await.unwrap();
    assert_eq!(problem(response).await.detail, "the body is not UTF-8");
    let response = app(&[]).oneshot(request("POST", "/json", &[], Body::from("{}"))).await.unwrap();
    assert!(!response.headers().contains_key("accept-encoding"), "that is about another header");
    assert_eq!(problem(response).await.code, Code::UnsupportedMediaType);
    let response = app(&[]).oneshot(request("POST", "/json", &json, Body::from("\u{feff}{}"))).await.unwrap();
    assert_eq!(response.status(), 200);
    for (bytes, word) in [(vec![0x1f, 0x8b, 8], "gzip"), (vec![b'{', 0, b'}', 0], "UTF-8"), (vec![0xfe, 0xff, 0, b'{'], "UTF-8")] {
        let refused = problem(app(&[]).oneshot(request("POST", "/json", &json, Body::from(bytes))).await.unwrap()).await;
        assert_eq!(refused.code, Code::InvalidRequest);
        assert!(refused.detail.starts_with("the body is ") && refused.detail.contains(word), "{}", refused.detail);
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused_wherever_it_goes() {
    let encoded = [("content-type", "application/json"), ("content-encoding", "gzip")];
    for path in ["/json", "/nowhere"] {
        let response = app(&[]).oneshot(request("POST", path, &encoded, Body::from("{}"))).await.unwrap();
        assert_eq!(response.headers()["accept-encoding"], "identity");
        let refused = problem(response).await;
        assert_eq!(refused.code, Code::UnsupportedMediaType);
        assert!(refused.detail.contains("\"gzip\""), "{}", refused.detail);
    }
    let plain = [("content-type", "application/json"), ("content-encoding", "identity")];
    assert_eq!(app(&[]).oneshot(request("POST", "/json", &plain, Body::from("{}"))).await.unwrap().status(), 200);
    let nothing = app(&[]).oneshot(request("GET", "/json", &encoded, Body::empty())).await.unwrap();
    assert_eq!(nothing.status(), 200, "there is nothing that could be encoded");
}

#[tokio::test]
async fn what_was_not_done_is_told_in_a_header() {
    let send = async |text: &str| {
        let json = [("content-type", "application/json")];
        app(&[]).oneshot(request("POST", "/seq", &json, Body::from(text.to_owned()))).await.unwrap()
    };
    assert!(!send(r#"{"seq":1}"#).await.headers().contains_key("guild-warnings"), "nothing to warn of");
    let warned = send(r#"{"seq":1,"größe":2}"#).await;
    let header = warned.headers()["guild-warnings"].to_str().unwrap();
    assert!(header.contains(r"gr\u00f6\u00dfe"), "{header}");
    assert_eq!(serde_json::from_str::<Vec<Warning>>(header).unwrap(), [Warning::unknown_field("größe")]);
    for refused in [r#"{"größe":2}"#, r#"{"seq":0,"größe":2}"#] {
        let refused = send(refused).await;
        assert!(!refused.headers().contains_key("guild-warnings"), "nothing was done");
        assert_eq!(problem(refused).await.code, Code::InvalidRequest);
    }
}

#[tokio::test]
async fn a_panic_is_an_incident() {
    let body = problem(app(&[]).oneshot(request("GET", "/fall", &[], Body::empty())).await.unwrap()).await;
    assert_eq!(body.code, Code::Internal);
    assert!(body.detail.contains(&body.incident.unwrap()));
    assert!(!body.detail.contains("gap"));
}

#[tokio::test]
async fn other_origins_are_refused_unless_allowed() {
    let evil = [("origin", "https://evil.example")];
    let response = app(&["https://app.example"]).oneshot(request("GET", "/json", &evil, Body::empty())).await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert_eq!(response.headers()["vary"], "Origin");
    let body = problem(response).await;
    assert_eq!(body.code, Code::Forbidden);
    assert!(body.detail.contains("allowed_origins"));

    let good = [("origin", "https://app.example")];
    let response = app(&["https://app.example"]).oneshot(request("GET", "/json", &good, Body::empty())).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(response.headers()["access-control-expose-headers"], "Allow, Guild-Warnings, Retry-After, X-Request-Id");
    assert!(!response.headers().contains_key("access-control-allow-credentials"));

    let own = [("origin", "https://chat.example")];
    let response = app(&[]).oneshot(request("GET", "/json", &own, Body::empty())).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_preflight_is_answered_for_allowed_origins() {
    let ask = |origin| [("origin", origin), ("access-control-request-method", "PATCH")];
    let allowed = &["https://app.example"];
    let response = app(allowed).oneshot(request("OPTIONS", "/json", &ask("https://app.example"), Body::empty())).await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.headers()["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(response.headers()["vary"], "Origin, Access-Control-Request-Headers");
    let always = "Authorization, Content-Type, X-Request-Id, traceparent, tracestate, baggage, sentry-trace";
    assert_eq!(response.headers()["access-control-allow-headers"], always);
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
    for (asked, more) in [
        ("authorization,traceparent", ""),
        ("Guild-Nonce, x-evil,guild-as , guild-later", ", guild-nonce, guild-later"),
        ("GUILD-AS", ""),
        ("guild-a b, guild-", ", guild-"),
    ] {
        let headers = [&ask("https://app.example")[..], &[("access-control-request-headers", asked)]].concat();
        let response = app(allowed).oneshot(request("OPTIONS", "/json", &headers, Body::empty())).await.unwrap();
        assert_eq!(response.headers()["access-control-allow-headers"], format!("{always}{more}"), "{asked}");
    }
    let response = app(allowed).oneshot(request("OPTIONS", "/json", &ask("https://evil.example"), Body::empty())).await.unwrap();
    assert_eq!(problem(response).await.code, Code::Forbidden);
}

#[tokio::test]
async fn the_peer_is_the_connections_or_a_trusted_proxys_word() {
    for (direct, expected) in [("10.0.0.1:7", "1.2.3.4"), ("9.9.9.9:7", "9.9.9.9"), ("[::ffff:10.0.0.1]:7", "1.2.3.4")] {
        let mut request = request("GET", "/json", &[("x-forwarded-for", "1.2.3.4")], Body::empty());
        request.extensions_mut().insert(ConnectInfo(direct.parse::<SocketAddr>().unwrap()));
        let response = app(&[]).oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
}
