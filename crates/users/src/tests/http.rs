use super::*;
use axum::body::Body;
use axum::http::{Request, Response};
use contract::calls::users::ChangeProfile;
use edge::{Admission, AdmissionSettings};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(super) struct Client {
    app: axum::Router,
    document: Value,
    pub(super) house: House,
}

impl Client {
    pub(super) async fn new(settings: Settings) -> Self {
        Self::limited(settings, &AdmissionSettings::unlimited()).await
    }

    async fn limited(settings: Settings, limits: &AdmissionSettings) -> Self {
        let house = House::new(settings).await;
        let admission = Admission::new(limits, &house.hand.clock());
        let (router, document) = crate::http::routes(house.bus.clone(), admission).split_for_parts();
        let app = edge::outer(router, edge::OuterSettings::default());
        Self { app, document: serde_json::to_value(document).unwrap(), house }
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header("host", "a");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    pub(super) async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.send(method, path, token, body).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub(super) async fn log_in(&self, username: &str) -> String {
        let body = json!({"username": username, "password": "correct horse"});
        self.call("POST", "/users/login", "", Some(body)).await.1["token"].as_str().unwrap().to_owned()
    }
}

pub(super) async fn the_flow_of_an_account() {
    let client = Client::new(settings(Mode::Password)).await;
    let login = json!({"username": "Alice", "password": "correct horse", "extra": 1});
    let (status, answer) = client.call("POST", "/users/login", "", Some(login.clone())).await;
    assert_eq!((status, &answer["user"]["username"]), (201, &json!("alice")));
    assert_eq!(client.call("POST", "/users/login", "", Some(login)).await.0, 200);
    let token = answer["token"].as_str().unwrap();
    let me = client.call("GET", "/users/me", token, None).await.1;
    assert_eq!((&me["id"], &me["online"]), (&answer["user"]["id"], &json!(false)));
    let (status, me) = client.call("PATCH", "/users/me", token, Some(json!({"display_name": "Al", "username": "ALICE"}))).await;
    assert_eq!((status, &me["display_name"]), (200, &json!("Al")));
    let change = json!({"current_password": "correct horse", "new_password": "battery staple"});
    assert_eq!(client.call("PUT", "/users/me/password", token, Some(change.clone())).await.0, 204);
    let (status, problem) = client.call("PUT", "/users/me/password", token, Some(change)).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid_credentials")));
    assert_eq!(client.call("GET", "/users?prefix=AL", token, None).await.1["items"][0]["username"], "alice");
    assert_eq!(client.call("GET", "/users/ALICE", token, None).await.0, 200);
    assert_eq!(client.call("GET", "/users/online", token, None).await.1, json!({"items": [], "next": null}));
    assert_eq!(client.call("POST", "/users/logout", token, None).await, (204, Value::Null));
    assert_eq!(client.call("GET", "/users/me", token, None).await.0, 401);
}

pub(super) async fn what_is_wrong_is_named() {
    let client = Client::new(settings(Mode::Password)).await;
    let token = client.log_in("alice").await;
    for (method, path, body, status, code, field) in [
        ("POST", "/users/login", Some(json!({"username": "a b", "password": "correct horse"})), 400, "invalid_request", json!("username")),
        ("POST", "/users/login", Some(json!({"username": "bob"})), 400, "invalid_request", json!("password")),
        ("POST", "/users/login", Some(json!({"username": "bob", "password": "short"})), 400, "invalid_request", json!("password")),
        ("POST", "/users/login", Some(json!({"username": "alice", "password": "wrong horse"})), 401, "invalid_credentials", json!(null)),
        ("PATCH", "/users/me", Some(json!({"display_name": " "})), 400, "invalid_request", json!("display_name")),
        ("PATCH", "/users/me", Some(json!({"display_name": null})), 400, "invalid_request", json!("display_name")),
        ("PATCH", "/users/me", Some(json!({"display_name": "x", "username": "bob"})), 403, "forbidden", json!("username")),
        ("GET", "/users?limit=0", None, 400, "invalid_request", json!("limit")),
        ("GET", "/users?after=%00", None, 400, "invalid_request", json!("after")),
        ("GET", "/users/online?limit=x", None, 400, "invalid_request", json!("limit")),
        ("GET", "/users/nobody", None, 404, "not_found", json!("username")),
        ("GET", "/users/a%20b", None, 404, "not_found", json!("username")),
        ("GET", "/users/%ff", None, 404, "not_found", json!(null)),
        ("GET", "/users/bob/rooms", None, 403, "forbidden", json!("username")),
        ("GET", "/users/me/rooms?limit=101", None, 400, "invalid_request", json!("limit")),
        ("DELETE", "/users/me", None, 405, "method_not_allowed", json!(null)),
    ] {
        let (got, problem) = client.call(method, path, &token, body).await;
        assert_eq!((got, &problem["code"], &problem["field"]), (status, &json!(code), &field), "{method} {path}: {problem}");
    }
}

pub(super) async fn without_a_token_nothing_but_the_login_is_possible() {
    let client = Client::new(settings(Mode::Password)).await;
    for (path, methods) in client.document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|_| path != "/users/login") {
            for token in ["", "wrong"] {
                let (status, problem) = client.call(&method.to_uppercase(), path, token, Some(json!({}))).await;
                assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{method} {path}");
            }
        }
    }
}

pub(super) async fn logins_are_limited_by_address() {
    let client =
        Client::limited(settings(Mode::Password), &AdmissionSettings { logins_per_minute: 2, ..AdmissionSettings::unlimited() }).await;
    let login = || Some(json!({"username": "alice", "password": "correct horse"}));
    assert_eq!(client.call("POST", "/users/login", "", login()).await.0, 201);
    assert_eq!(client.call("POST", "/users/login", "", login()).await.0, 200);
    let refused = client.send("POST", "/users/login", "", login()).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "30"));
    client.house.hand.turn(Duration::from_secs(30));
    assert_eq!(client.call("POST", "/users/login", "", login()).await.0, 200);
}

pub(super) async fn rooms_are_asked_of_the_messages_service() {
    let client = Client::new(settings(Mode::Password)).await;
    let token = client.log_in("alice").await;
    // It is not there in this test: the refusal is the bus's own.
    for path in ["/users/me/rooms", "/users/alice/rooms", "/users/ALICE/rooms"] {
        assert_eq!(client.call("GET", path, &token, None).await.0, 503, "{path}");
    }
}

/// Every `$ref` of the document.
fn refs(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| refs(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| refs(value, found)),
        _ => {}
    }
}

pub(super) async fn the_document_says_everything() {
    let document = Client::new(settings(Mode::Password)).await.document;
    let mut found = Vec::new();
    refs(&document, &mut found);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is not in the document");
    }
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let secured = operation["security"][0].get("token").is_some();
            assert_eq!(secured, path != "/users/login", "{method} {path}");
            for status in ["401", "403", "500", "503"] {
                let schema = &operation["responses"][status]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{method} {path}");
            }
        }
    }
    assert_eq!(ids.len(), 15);
    let limit = &document["paths"]["/users"]["get"]["parameters"][2];
    assert_eq!((&limit["name"], &limit["required"], &limit["schema"]["maximum"]), (&json!("limit"), &json!(false), &json!(100)));
}

pub(super) async fn names_that_hide_or_turn_are_refused_and_old_ones_are_shown() {
    let client = Client::new(settings(Mode::Password)).await;
    let token = client.log_in("alice").await;
    for wrong in ["\u{200b}", "\u{2800}", "a\u{202e}b", "a\nb", "a\u{7}b", "\u{fe0f}"] {
        let (status, problem) = client.call("PATCH", "/users/me", &token, Some(json!({ "display_name": wrong }))).await;
        assert_eq!((status, &problem["code"], &problem["field"]), (400, &json!("invalid_request"), &json!("display_name")), "{wrong:?}");
    }
    for (sent, kept) in [("❤️ 👩‍🚀", "❤️ 👩‍🚀"), ("  Al\u{a0} ice ", "Al ice")] {
        let (status, me) = client.call("PATCH", "/users/me", &token, Some(json!({ "display_name": sent }))).await;
        assert_eq!((status, &me["display_name"]), (200, &json!(kept)));
    }
    let old = contract::DisplayName::try_from("\u{202e}ecilA\n").unwrap();
    let id = client.house.session(&token).await.unwrap().user.id;
    client.house.users.store.change_profile(id, ChangeProfile::display_name(old.clone()), client.house.hand.now()).await.unwrap();
    client.house.users.check_all_sessions();
    for path in ["/users/me", "/users/alice"] {
        assert_eq!(client.call("GET", path, &token, None).await.1["display_name"], old.as_str(), "{path}");
    }
    assert_eq!(client.house.session(&token).await.unwrap().user.display_name, old);
}
