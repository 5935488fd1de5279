//! GraphQL over the real services: the number of statements that a list costs, and what an attack meets. The documents as they are kept in
//! docs/ are compared here too (`snapshots`), over the same services.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod snapshots;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use guild::assemble::{Assembled, assemble};
use guild::metering;
use guild::settings::{Sources, load};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use std::sync::OnceLock;
use tower::ServiceExt;

/// Everything in this process, over SQLite in memory.
async fn house() -> Assembled {
    let environment = [
        ("GUILD_DATABASE_URL", "sqlite::memory:"),
        ("GUILD_AUTH_MODE", "open"),
        ("GUILD_LIMITS_ROOMS_PER_MINUTE", "0"),
        ("GUILD_LIMITS_LOGINS_PER_MINUTE", "0"),
        ("GUILD_LIMITS_CHANGES_PER_SECOND", "0"),
        ("GUILD_LIMITS_READS_PER_SECOND", "0"),
        ("GUILD_LIMITS_SENDS_PER_SECOND", "0"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let settings = load(&Sources { environment, ..Sources::default() }).unwrap();
    // The recorder is the process's, the tests in it run side by side.
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    assemble(&settings, METRICS.get_or_init(|| metering::start().unwrap()).clone()).await.unwrap()
}

async fn call(house: &Assembled, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("host", "a").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {token}")).body(Body::from(body.to_string())).unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn log_in(house: &Assembled, username: &str) -> String {
    let (_, login) = call(house, "POST", "/users/login", "", json!({ "username": username })).await;
    login["token"].as_str().unwrap().to_owned()
}

/// The answer to a query, and how many statements it cost: the fewest of some times, because who is online and the log's end are looked
/// after beside it.
async fn ask(house: &Assembled, token: &str, query: &str) -> (Value, u64) {
    let db = house.db.as_ref().unwrap();
    let mut fewest = u64::MAX;
    let mut last = Value::Null;
    for _ in 0..5 {
        let before = db.statements();
        let (status, answer) = call(house, "POST", "/graphql", token, json!({ "query": query })).await;
        fewest = fewest.min(db.statements() - before);
        assert_eq!(status, 200, "{answer}");
        last = answer;
    }
    (last, fewest)
}

const EVERYTHING: &str = "{
    rooms(first: 30) { edges { cursor node {
        id name createdBy { displayName } lastMessage { body sender { displayName online } room { name } }
        messages(last: 5) { nodes { body sender { id displayName online } room { id messages(first: 1) { nodes { seq } } }
            mentions { usernames room } threadInfo { replies usernames } replies(first: 5) { nodes { body thread sender { displayName } room { id } } } } }
        members(first: 5) { nodes { username online } }
        pins(first: 5) { nodes { body sender { displayName } pinnedBy { displayName } room { name } } pageInfo { hasNextPage } }
        unreadThreads
        mentions
        threads(first: 5) { nodes { root { body sender { displayName } room { name } replies(first: 5) { nodes { body } } } replies unread } }
    } } }
    me { threads(first: 30) { edges { cursor node { unread root { sender { displayName } room { name } } } } pageInfo { hasNextPage } }
        mentions(first: 30) { edges { cursor node { mentions { usernames } sender { displayName } room { name } } } pageInfo { hasNextPage } } }
    recentMessages { body sender { displayName } room { id lastMessage { seq } } }
}";

#[tokio::test]
async fn a_list_costs_a_fixed_number_of_statements() {
    let house = house().await;
    let ann = log_in(&house, "ann").await;
    let mut others = Vec::new();
    for number in 0..12 {
        others.push(log_in(&house, &format!("u{number}")).await);
    }
    let mut costs = Vec::new();
    let mut rooms = 0;
    for wanted in [2, 25] {
        while rooms < wanted {
            let people = json!([format!("u{}", rooms % 12), format!("u{}", (rooms + 5) % 12)]);
            let (_, room) = call(&house, "POST", "/rooms", &ann, json!({ "usernames": people, "kind": "group" })).await;
            let path = format!("/rooms/{}/messages", room["id"].as_str().unwrap());
            for token in [&ann, &others[rooms % 12], &others[(rooms + 5) % 12]] {
                let hello = json!({ "body": "hello", "mentions": { "users": ["ann"] } });
                assert_eq!(call(&house, "POST", &path, token, hello).await.0, 201);
            }
            let path = format!("/rooms/{}/pins/1", room["id"].as_str().unwrap());
            assert_eq!(call(&house, "PUT", &path, &others[rooms % 12], Value::Null).await.0, 204);
            let path = format!("/rooms/{}/messages", room["id"].as_str().unwrap());
            for thread in [1, 2] {
                let reply = json!({ "body": "aside", "thread": thread });
                assert_eq!(call(&house, "POST", &path, &others[rooms % 12], reply).await.0, 201);
            }
            rooms += 1;
        }
        let (answer, cost) = ask(&house, &ann, EVERYTHING).await;
        let edges = answer["data"]["rooms"]["edges"].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(edges.len(), wanted);
        assert!(answer["errors"].is_null(), "{answer}");
        for edge in edges {
            let node = &edge["node"];
            assert_eq!(node["messages"]["nodes"].as_array().unwrap().len(), 3);
            assert_eq!(node["members"]["nodes"].as_array().unwrap().len(), 3);
            assert_eq!(node["messages"]["nodes"][0]["room"]["id"], node["id"]);
            assert!(node["pins"]["nodes"][0]["pinnedBy"]["displayName"].as_str().unwrap().starts_with('u'), "{node}");
            assert_eq!(node["lastMessage"]["sender"]["online"], false);
            assert_threads(node);
            assert_eq!((&node["mentions"], &node["messages"]["nodes"][1]["mentions"]["usernames"]), (&json!(2), &json!(["ann"])));
        }
        let meant = answer["data"]["me"]["mentions"]["edges"].as_array().unwrap();
        assert_eq!(meant.len(), 30.min(2 * wanted), "{meant:?}");
        let mine = answer["data"]["me"]["threads"]["edges"].as_array().unwrap();
        assert!(mine.len() == wanted && mine.iter().all(|edge| edge["node"]["unread"] == 1), "{mine:?}");
        assert_eq!(answer["data"]["recentMessages"].as_array().unwrap().len(), 4 * wanted);
        // What `recentMessages` itself costs is REST's affair, which looks at each room in turn; what is nested in it is measured here.
        let (_, recent) = ask(&house, &ann, "{ recentMessages { seq } }").await;
        let (_, detailed) = ask(&house, &ann, "{ recentMessages { seq sender { displayName } room { id lastMessage { seq } } } }").await;
        costs.push((cost - recent, detailed - recent));
    }
    assert_eq!(costs[0], costs[1], "what is nested in lists may not cost more where there is more of it");
    assert!(costs[0].0 <= 95, "{costs:?}");
}

/// Two threads of one message each: under ann's message, which ann has not read, and under the first of the others.
fn assert_threads(room: &Value) {
    let [first, second, third] = room["messages"]["nodes"].as_array().unwrap().as_slice() else { panic!("{room}") };
    for begins in [first, second] {
        assert_eq!(begins["threadInfo"]["replies"], 1);
        let replies = begins["replies"]["nodes"].as_array().unwrap();
        assert!(replies.len() == 1 && replies[0]["body"] == "aside" && replies[0]["room"]["id"] == room["id"], "{begins}");
    }
    assert_eq!((&third["threadInfo"], &third["replies"]["nodes"]), (&Value::Null, &json!([])));
    let threads = room["threads"]["nodes"].as_array().unwrap();
    let unread: Vec<_> = threads.iter().map(|thread| (&thread["unread"], &thread["root"]["replies"]["nodes"][0]["body"])).collect();
    assert_eq!(unread, [(&json!(1), &json!("aside")), (&json!(1), &json!("aside"))]);
    assert_eq!(room["unreadThreads"], 1, "ann follows what began with her message");
}

async fn refused(house: &Assembled, token: &str, body: Value) -> String {
    let statements = house.db.as_ref().unwrap().statements();
    let began = std::time::Instant::now();
    let (_, answer) = call(house, "POST", "/graphql", token, body).await;
    // Some run beside it: who is online is looked after, who calls was asked before.
    assert!(house.db.as_ref().unwrap().statements() - statements < 10, "{answer}");
    assert!(began.elapsed().as_millis() < 500, "{:?} {answer}", began.elapsed());
    assert!(answer.get("data").is_none(), "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "invalid_request", "{answer}");
    answer["errors"][0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_attack_is_refused_before_it_costs() {
    let house = house().await;
    let ann = log_in(&house, "ann").await;
    let query = |text: String| json!({ "query": text });
    let circle = "messages { nodes { room {";
    let deep = format!("{{ rooms {{ nodes {{ {} id {} }} }} }}", circle.repeat(6), "} } }".repeat(6));
    let aliases: String = (0..1_000).map(|number| format!("a{number}: rooms {{ nodes {{ id }} }} ")).collect();
    let many: String = (0..100).map(|number| format!("a{number}: rooms {{ nodes {{ id }} }} ")).collect();
    let doubling: String =
        (0..60).map(|number| format!("fragment f{number} on Query {{ ...f{} ...f{} }} ", number + 1, number + 1)).collect();
    let introspection = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    for (attack, said) in [
        (deep, "fields deep"),
        (format!("{{ {aliases} }}"), "words and signs"),
        (format!("{{ {many} }}"), "100 aliases"),
        ("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(), "contains itself"),
        (format!("{{ ...f0 }} {doubling} fragment f60 on Query {{ me {{ id }} }}"), "fields"),
        (introspection.to_owned(), "lists of the schema"),
        (format!("{{ a{} }}", "{a".repeat(50_000)), "words and signs"),
        (format!("{{ user(username: {}) {{ id }} }}", "[".repeat(1_500)), "within one another"),
        ("{ rooms(first: 100) { nodes { messages(last: 100) { nodes { body sender { id } } } } } }".to_owned(), "too complex"),
        ("{ a { b } }".to_owned(), "Unknown field"),
        ("query ($x: Int) { rooms(first: $x) { nodes { members(first: 100) { nodes { id username } } messages(first: 100) { nodes { id } } } } }".to_owned(), "too complex"),
    ] {
        let message = refused(&house, &ann, query(attack)).await;
        assert!(message.contains(said), "{message} should say {said}");
    }
    let batch = Value::Array((0..1_000).map(|_| query("{ me { id } }".to_owned())).collect());
    assert!(refused(&house, &ann, batch).await.contains("1 to 10 requests"));
    let nested = json!({ "query": "{ me { id } }", "variables": { "a": serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap() } });
    assert_eq!(call(&house, "POST", "/graphql", &ann, nested).await.0, 200, "variables that nobody reads cost nothing");
}

#[tokio::test]
async fn any_character_may_be_written_as_an_escape() {
    let house = house().await;
    let (ann, bob) = (log_in(&house, "ann").await, log_in(&house, "bob").await);
    let (_, room) = call(&house, "POST", "/rooms", &ann, json!({ "usernames": ["bob"] })).await;
    let path = format!("/rooms/{}/messages", room["id"].as_str().unwrap());
    for body in ["so 👍 good", "no such"] {
        assert_eq!(call(&house, "POST", &path, &ann, json!({ "body": body })).await.0, 201);
    }
    let wanted = json!({ "data": { "search": { "nodes": [{ "message": { "body": "so 👍 good" } }] } } });
    let fields = "{ nodes { message { body } } }";
    for escaped in ["👍", r"\ud83d\udc4d", r"\uD83D\uDC4D", r"\u{1F44D}", r"\u{1f44d}"] {
        for query in [
            format!("{{ search(q: \"{escaped}\") {fields} }}"),
            format!("query ($q: String! = \"{escaped}\") {{ search(q: $q) {fields} }}"),
            format!("{{ ...f }} fragment f on Query {{ search(q: \"{escaped}\") {fields} }}"),
        ] {
            let body = json!({ "query": query });
            assert_eq!(call(&house, "POST", "/graphql", &bob, body.clone()).await.1, wanted, "{query}");
            assert_eq!(call(&house, "POST", "/graphql", &bob, json!([body, body])).await.1, json!([wanted, wanted]), "{query}");
            let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(call(&house, "GET", &format!("/graphql?query={encoded}"), &bob, Value::Null).await.1, wanted, "{query}");
        }
    }
    let body = json!({ "query": format!("query ($q: String!) {{ search(q: $q) {fields} }}"), "variables": { "q": "👍" } });
    assert_eq!(call(&house, "POST", "/graphql", &bob, body).await.1, wanted);
    for (escaped, said) in [(r"\ud83d", "half of a pair"), (r"\u{110000}", "is no character")] {
        let body = json!({ "query": format!("{{ search(q: \"{escaped}\") {fields} }}") });
        let (_, answer) = call(&house, "POST", "/graphql", &bob, body).await;
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains(said), "{answer}");
        assert_eq!(answer["errors"][0]["locations"], json!([{ "line": 1, "column": 14 }]));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "invalid_request");
    }
}

#[tokio::test]
async fn long_messages_have_a_bound_that_aliases_and_batches_share() {
    let house = house().await;
    let ann = log_in(&house, "ann").await;
    let bodies = "👍".repeat(8_000);
    let mut rooms = Vec::new();
    for number in 0..3 {
        let name = json!({ "usernames": [], "name": format!("{number}"), "kind": "group" });
        let (_, room) = call(&house, "POST", "/rooms", &ann, name).await;
        let id = room["id"].as_str().unwrap().to_owned();
        for _ in 0..40 {
            let path = format!("/rooms/{id}/messages");
            assert_eq!(call(&house, "POST", &path, &ann, json!({ "body": bodies })).await.0, 201);
        }
        rooms.push(id);
    }
    let ask = async |query: Value| call(&house, "POST", "/graphql", &ann, query).await.1;
    let too_large = |answer: &Value| answer["errors"][0]["extensions"]["code"] == "too_large" && answer.get("data").is_none();

    // One list: its pages end early, and say so.
    let list = "{ rooms(first: 9) { nodes { messages(last: 100) { nodes { seq body } pageInfo { hasPreviousPage startCursor } } } } }";
    let answer = ask(json!({ "query": list })).await;
    assert!(answer.get("errors").is_none(), "{}", answer["errors"]);
    for node in answer["data"]["rooms"]["nodes"].as_array().unwrap() {
        let messages = &node["messages"];
        let count = messages["nodes"].as_array().unwrap().len();
        assert!((10..=11).contains(&count), "{count} of each: 1 MiB in all");
        assert_eq!(messages["nodes"][count - 1]["seq"], 40);
        assert_eq!(messages["pageInfo"], json!({ "hasPreviousPage": true, "startCursor": format!("{}", 41 - count) }));
    }

    // Many names for one thing: what is read once may not be told thirty times.
    let aliased = |count: usize, fields: &str| {
        let body: String = (0..count).map(|number| format!("a{number}: {fields} ")).collect();
        json!({ "query": format!("{{ room(id: \"{}\") {{ messages(last: 100) {{ nodes {{ {body} }} }} }} }}", rooms[0]) })
    };
    assert!(ask(aliased(4, "body")).await.get("errors").is_none());
    assert!(too_large(&ask(aliased(5, "body")).await));
    assert!(too_large(&ask(aliased(30, "body")).await));
    assert!(ask(aliased(30, "seq")).await.get("errors").is_none());
    let last = |count: usize| {
        let aliases: String = (0..count).map(|number| format!("a{number}: lastMessage {{ body }} ")).collect();
        json!({ "query": format!("{{ rooms {{ nodes {{ {aliases} }} }} }}") })
    };
    assert!(ask(last(10)).await.get("errors").is_none());
    let several = json!([last(29), last(29), { "query": "{ me { username } }" }]);
    let answers = ask(several).await;
    assert!(answers[0].get("errors").is_none() && too_large(&answers[1]), "a batch is one request");
    assert_eq!(answers[2], json!({ "data": { "me": { "username": "ann" } } }));

    // Many things: once so much has been read, no more is.
    let reads: String = (0..15)
        .map(|number| format!("a{number}: room(id: \"{}\") {{ messages(last: 100) {{ nodes {{ seq }} }} }} ", rooms[number % 3]))
        .collect();
    let answer = ask(json!({ "query": format!("{{ {reads} }}") })).await;
    let errors = answer["errors"].as_array().unwrap();
    assert!((4..=8).contains(&errors.len()), "{}", errors.len());
    for error in errors {
        assert_eq!(error["extensions"]["code"], "too_large", "{error}");
        assert!(answer["data"][error["path"][0].as_str().unwrap()].get("messages").is_none_or(Value::is_null), "{error}");
    }
    let told = answer["data"].as_object().unwrap().values().filter(|room| room["messages"]["nodes"].is_array()).count();
    assert_eq!(told + errors.len(), 15);
    assert!(ask(json!({ "query": list })).await.get("errors").is_none(), "the next request has its own");
}
