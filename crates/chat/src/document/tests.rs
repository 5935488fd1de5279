use super::table::{Direction, events};
use super::*;
use contract::wire::{client, server};

const SERVER: [&str; 13] = [
    server::READY,
    server::ROOM_CREATED,
    server::NEW_MESSAGE,
    server::MEMBER_JOINED,
    server::MEMBER_LEFT,
    server::ROOM_UPDATED,
    server::EVENT,
    server::TYPING,
    server::READ,
    server::USER_ONLINE,
    server::USER_OFFLINE,
    server::RESYNC,
    server::ERROR,
];

/// A validator for one message's payload, with the document's components at hand.
fn validator(document: &Value, message: &str) -> jsonschema::Validator {
    let mut schema = document["components"]["messages"][message]["payload"].clone();
    schema["components"] = document["components"].clone();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn every_event_is_in_the_table_once() {
    let of = |direction| events().unwrap().into_iter().filter(|e| e.direction == direction).map(|e| e.name).collect::<Vec<_>>();
    assert_eq!(of(Direction::Client), crate::dispatch::NAMES);
    assert_eq!(of(Direction::Server), SERVER);
    // The constants of the contract, read from its source, so that a new one cannot be forgotten here.
    let source = include_str!("../../../contract/src/wire.rs");
    let names: Vec<_> = source.lines().filter_map(|line| line.trim().strip_prefix("pub const ")?.split('"').nth(1)).collect();
    assert_eq!(names, crate::dispatch::NAMES.into_iter().chain(SERVER).collect::<Vec<_>>());
    assert_eq!(client::MESSAGE, "message");
}

#[test]
fn every_example_is_what_its_schema_says() {
    let document = document();
    let messages = document["components"]["messages"].as_object().unwrap();
    assert_eq!(messages.len(), 7 * 2 + SERVER.len());
    for (id, message) in messages {
        let validator = validator(&document, id);
        for example in message["examples"].as_array().unwrap() {
            let errors: Vec<_> = validator.iter_errors(&example["payload"]).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{id}: {errors:?} in {example}");
        }
    }
}

#[test]
fn what_is_needed_is_required_and_nothing_else() {
    let document = document();
    let refuses = |message: &str, payload: Value| {
        assert!(!validator(&document, message).is_valid(&payload), "{message} takes {payload}");
    };
    let takes = |message: &str, payload: Value| {
        let errors: Vec<_> = validator(&document, message).iter_errors(&payload).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{message} refuses {payload}: {errors:?}");
    };
    takes("client_message", json!({ "room": "x", "body": "y", "unknown": 1 }));
    refuses("client_message", json!({ "room": "x" }));
    refuses("client_message", json!({ "room": "x", "body": "" }));
    takes("client_create_room", json!({}));
    refuses("client_create_room", json!({ "kind": "party" }));
    refuses("client_message_ack", json!({ "ok": true }));
    refuses("client_message_ack", json!({ "ok": false, "message": {} }));
    refuses("client_typing_ack", json!({ "ok": false }));
    takes("client_typing_ack", json!({ "ok": true }));
    for field in ["name", "last_message", "head", "usernames"] {
        let mut created = document["components"]["messages"]["server_room_created"]["examples"][0]["payload"].clone();
        takes("server_room_created", created.clone());
        created["room"].as_object_mut().unwrap().remove(field).unwrap();
        refuses("server_room_created", created);
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, seen: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                seen.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| walk(value, seen));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, seen)),
            _ => {}
        }
    }
    let document = document();
    let mut references = Vec::new();
    walk(&document, &mut references);
    assert!(references.len() > 60);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
