//! The rule between the crates: `guild -> {users, messages, chat, graphql} -> {edge, bus, db, socketio} -> {contract, vital, websocket}`.
//! Users, messages, chat and graphql never depend on one another. Socketio knows nothing of chat, so it depends on websocket alone. The
//! dependencies are those that cargo names, including those for tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which crates of the house each may use.
const MAY_USE: [(&str, &[&str]); 13] = [
    // The benchmark fills databases by asking the services in its own process.
    ("bench", &["users", "messages", "bus", "db", "contract"]),
    ("guild", &["users", "messages", "chat", "graphql", "edge", "bus", "db", "contract", "vital"]),
    ("users", &["edge", "bus", "db", "contract", "vital"]),
    ("messages", &["edge", "bus", "db", "contract", "vital"]),
    ("chat", &["edge", "bus", "socketio", "contract", "vital"]),
    ("graphql", &["edge", "bus", "contract", "vital", "websocket"]),
    ("edge", &["bus", "contract"]),
    ("bus", &["contract", "vital"]),
    ("db", &["contract", "vital"]),
    ("socketio", &["websocket"]),
    ("contract", &[]),
    ("vital", &[]),
    ("websocket", &[]),
];

/// Each crate of the workspace with the crates of the workspace that it uses.
fn house() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("it lists packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    packages
        .iter()
        .map(|package| {
            let used = package["dependencies"].as_array().expect("it lists dependencies").iter().map(name);
            (name(package), used.filter(|used| ours.contains(used)).collect())
        })
        .collect()
}

#[test]
fn every_crate_uses_only_what_it_may() {
    for (name, used) in house() {
        let Some((_, may)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            panic!("{name} is new: decide where it stands in the house, in ARCHITECTURE.md and here");
        };
        let too_much: Vec<_> = used.iter().filter(|used| !may.contains(&used.as_str())).collect();
        assert!(too_much.is_empty(), "{name} may not use {too_much:?}; it may use {may:?}");
    }
}

#[test]
fn every_crate_of_the_rule_exists() {
    let house = house();
    for (name, _) in MAY_USE {
        assert!(house.contains_key(name), "{name} is in the rule, and not in the workspace");
    }
}
