use super::table::{Direction, events};
use super::*;
use contract::wire::{client, server};

const SERVER: [&str; 21] = [
    server::READY,
    server::ROOM_CREATED,
    server::NEW_MESSAGE,
    server::MEMBER_JOINED,
    server::MEMBER_LEFT,
    server::ROOM_UPDATED,
    server::MESSAGE_EDITED,
    server::MESSAGE_DELETED,
    server::REACTIONS_CHANGED,
    server::MESSAGE_PINNED,
    server::MESSAGE_UNPINNED,
    server::EVENT,
    server::TYPING,
    server::READ,
    server::THREAD_READ,
    server::USER_ONLINE,
    server::USER_OFFLINE,
    server::USER_UPDATED,
    server::STATE_CHANGED,
    server::RESYNC,
    server::ERROR,
];

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
fn every_event_and_acknowledgement_is_a_message() {
    // That the examples fit the schemas, and that the schemas forbid what they should, is checked in acceptance/stories/documents.test.mjs.
    assert_eq!(document()["components"]["messages"].as_object().unwrap().len(), crate::dispatch::NAMES.len() * 2 + SERVER.len());
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
