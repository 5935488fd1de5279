use super::http::Client;
use super::*;
use contract::calls::users::{ChangeProfile, Me, UsersById};
use contract::hint::UserChanged;
use contract::{Patch, User};
use serde_json::{Value, json};

async fn alice() -> (Client, String) {
    let client = Client::new(settings(Mode::Password)).await;
    let token = client.log_in("alice").await;
    (client, token)
}

/// What a user object says beside the name.
fn said(user: &Value) -> [Option<&Value>; 2] {
    [user.get("status"), user.get("metadata")]
}

pub(super) async fn what_a_user_says_is_shown_everywhere() {
    let (client, token) = alice().await;
    let me = client.call("GET", "/users/me", &token, None).await.1;
    assert_eq!(said(&me), [None, None], "absent until used");
    let (status, metadata) = (json!("Out for lunch 🍜"), json!({"office": {"city": "Lyon"}, "nul": "\0"}));
    let change = json!({"status": status, "metadata": metadata});
    let expected = [Some(&status), Some(&metadata)];
    let (code, changed) = client.call("PATCH", "/users/me", &token, Some(change)).await;
    assert_eq!((code, said(&changed), &changed["display_name"]), (200, expected, &json!("alice")));
    for path in ["/users/me", "/users/alice"] {
        assert_eq!(said(&client.call("GET", path, &token, None).await.1), expected, "{path}");
    }
    assert_eq!(said(&client.call("GET", "/users", &token, None).await.1["items"][0]), expected);
    let login = json!({"username": "alice", "password": "correct horse"});
    assert_eq!(said(&client.call("POST", "/users/login", "", Some(login)).await.1["user"]), expected);
    for _ in 0..2 {
        let session = client.house.session(&token).await.unwrap();
        assert_eq!(said(&serde_json::to_value(&session.user).unwrap()), expected, "remembered or not");
        for brief in [false, true] {
            let users = client.house.bus.ask(&service(), UsersById { ids: vec![session.user.id], brief }).await.unwrap();
            let expected = if brief { [None, None] } else { expected };
            assert_eq!(said(&serde_json::to_value(&users[0]).unwrap()), expected, "brief: {brief}");
        }
    }
}

pub(super) async fn a_change_keeps_clears_and_merges() {
    let (client, token) = alice().await;
    for (change, status, metadata) in [
        (json!({"status": "a", "metadata": {"x": 1, "y": {"z": 2}}}), json!("a"), json!({"x": 1, "y": {"z": 2}})),
        (json!({}), json!("a"), json!({"x": 1, "y": {"z": 2}})),
        (json!({"metadata": {"x": null, "y": {"w": 3}}}), json!("a"), json!({"y": {"z": 2, "w": 3}})),
        (json!({"status": "  b  c "}), json!("b c"), json!({"y": {"z": 2, "w": 3}})),
        (json!({"status": null, "display_name": "Al"}), json!(null), json!({"y": {"z": 2, "w": 3}})),
        (json!({"status": "d", "metadata": null}), json!("d"), json!(null)),
        (json!({"status": " ", "metadata": {"x": null}}), json!(null), json!(null)),
    ] {
        let (code, user) = client.call("PATCH", "/users/me", &token, Some(change.clone())).await;
        assert_eq!((code, &user["status"], &user["metadata"]), (200, &status, &metadata), "{change}");
        let me = client.call("GET", "/users/me", &token, None).await.1;
        assert_eq!(me, user, "{change}");
    }
    let me = client.call("GET", "/users/me", &token, None).await.1;
    assert_eq!((said(&me), &me["display_name"]), ([None, None], &json!("Al")));
}

pub(super) async fn what_may_not_be_is_named() {
    let (client, token) = alice().await;
    let before = json!({"status": "s", "metadata": {"kept": "x".repeat(3_000)}});
    assert_eq!(client.call("PATCH", "/users/me", &token, Some(before.clone())).await.0, 200);
    for (change, field) in [
        (json!({"status": "x".repeat(141)}), "status"),
        (json!({"status": "a\nb"}), "status"),
        (json!({"status": "a\u{202e}b"}), "status"),
        (json!({"status": "a\0b"}), "status"),
        (json!({"status": 7}), "status"),
        (json!({"metadata": [1]}), "metadata"),
        (json!({"metadata": "x"}), "metadata"),
        (json!({"metadata": {"a": {"b": {"c": {"d": {"e": {}}}}}}}), "metadata"),
        (json!({"status": "lost", "metadata": {"more": "x".repeat(1_100)}}), "metadata"),
        (json!({"display_name": null, "status": "lost"}), "display_name"),
    ] {
        let (code, problem) = client.call("PATCH", "/users/me", &token, Some(change)).await;
        assert_eq!((code, &problem["code"], &problem["field"]), (400, &json!("invalid_request"), &json!(field)), "{problem}");
    }
    let me = client.call("GET", "/users/me", &token, None).await.1;
    assert_eq!((&me["status"], &me["metadata"]), (&before["status"], &before["metadata"]), "nothing of it is done");
    let fits = json!({"status": "😀".repeat(140), "metadata": {"kept": null, "a": {"b": {"c": {"d": {}}}}}});
    assert_eq!(client.call("PATCH", "/users/me", &token, Some(fits)).await.0, 200);
}

pub(super) async fn what_changes_is_told_once() {
    let house = House::new(settings(Mode::Open)).await;
    let who = house.caller(&house.log_in("alice", "").await.unwrap().login.token).await;
    let mut told = house.bus.subscribe::<UserChanged>();
    let say = |status: &str| ChangeProfile { status: Patch::Set(status.try_into().unwrap()), ..ChangeProfile::default() };
    for status in ["out", "out", "back"] {
        let now = house.bus.ask(&who, say(status)).await.unwrap();
        assert_eq!(now, house.bus.ask(&who, Me {}).await.unwrap());
    }
    for status in ["out", "back"] {
        let UserChanged { user, now } = heard(&mut told).await;
        let now = now.unwrap();
        assert_eq!((user, now.status.as_ref().unwrap().as_str(), now.online), (who.user().unwrap().id, status, None));
        assert_eq!(now, User { status: now.status.clone(), ..User::plain(user, name("alice"), now.display_name.clone(), now.created_at) });
    }
    assert_eq!(code(house.bus.ask(&Caller::Anonymous, say("x")).await), Code::Unauthenticated);
}
