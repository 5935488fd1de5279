//! What clients build on, as it is kept in docs/: the GraphQL schema and the OpenAPI and AsyncAPI documents. A change of the types that
//! a client would see shows as a difference here, and is then meant.

use super::{call, house};
use serde_json::Value;

/// Writes the snapshots anew instead of comparing them.
const REFRESH: &str = "GUILD_REFRESH_SNAPSHOTS";

/// Stands for the program's version, so that a release changes no snapshot.
const ANY_VERSION: &str = "0.0.0";

/// Compares a file of docs/ with what it should hold; `difference` says where they part.
fn same(file: &str, fresh: &str, difference: impl FnOnce(&str) -> Option<String>) {
    let path = format!("{}/../../docs/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os(REFRESH).is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    if let Some(difference) = difference(&std::fs::read_to_string(&path).unwrap_or_default()) {
        panic!(
            "docs/{file} is not what the program says any more: {difference}\n\
             If that is meant, write it with {REFRESH}=1 cargo test --release -p guild --test graphql, then run scripts/postman."
        );
    }
}

#[test]
fn the_graphql_schema_is_the_one_in_docs() {
    let sdl = graphql::sdl();
    same("schema.graphql", &sdl, |kept| (kept != sdl).then(|| "it differs".to_owned()));
}

#[tokio::test]
async fn openapi_is_the_one_in_docs() {
    document("/openapi.json", "openapi.json").await;
}

#[tokio::test]
async fn asyncapi_is_the_one_in_docs() {
    document("/asyncapi.json", "asyncapi.json").await;
}

/// A word that stands where a path has a username, or behind one, is nobody's name: else a new path would take somebody's page away.
#[tokio::test]
async fn no_word_of_a_path_under_users_can_be_a_username() {
    /// The part of the document that is about users. It is no path of the document itself.
    const PART: &str = "/users/openapi.json";
    let house = house().await;
    let (_, served) = call(&house, "GET", "/openapi.json", "", Value::Null).await;
    assert_eq!(call(&house, "GET", PART, "", Value::Null).await.0, 200);
    let paths =
        served["paths"].as_object().unwrap().keys().map(String::as_str).chain([PART]).filter_map(|path| path.strip_prefix("/users/"));
    let words: Vec<&str> = paths.flat_map(|path| path.split('/')).filter(|word| !word.starts_with('{')).collect();
    assert!(words.len() >= 5, "the paths are there: {words:?}");
    for word in words {
        assert!(contract::RESERVED_USERNAMES.contains(&word), "put {word:?} into contract::RESERVED_USERNAMES, and into docs/rest.md");
    }
    let page = std::fs::read_to_string(format!("{}/../../docs/rest.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for word in contract::RESERVED_USERNAMES {
        assert!(page.contains(&format!("`{word}`")), "docs/rest.md does not say that {word} is reserved");
    }
}

/// As everything in one process serves it.
async fn document(path: &str, file: &str) {
    let (status, mut served) = call(&house().await, "GET", path, "", Value::Null).await;
    assert_eq!(status, 200);
    assert!(served["info"]["title"].is_string(), "{path} is a document");
    unversion(&mut served);
    let fresh = serde_json::to_string_pretty(&served).unwrap() + "\n";
    // Compared as values: the order of fields depends on what else is compiled.
    same(file, &fresh, |kept| difference(&serde_json::from_str(kept).unwrap_or_default(), &served, "#"));
}

fn unversion(value: &mut Value) {
    match value {
        Value::String(text) if text == env!("CARGO_PKG_VERSION") => ANY_VERSION.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(unversion),
        Value::Object(fields) => fields.values_mut().for_each(unversion),
        _ => {}
    }
}

/// The first place where the two part, as a JSON pointer with what is there.
fn difference(kept: &Value, fresh: &Value, at: &str) -> Option<String> {
    match (kept, fresh) {
        (Value::Object(old), Value::Object(new)) => {
            let gone = old.keys().find(|key| !new.contains_key(*key)).map(|key| format!("{at}/{key} is gone"));
            gone.or_else(|| {
                new.iter().find_map(|(key, value)| match old.get(key) {
                    Some(before) => difference(before, value, &format!("{at}/{key}")),
                    None => Some(format!("{at}/{key} is new")),
                })
            })
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            old.iter().zip(new).enumerate().find_map(|(number, (before, after))| difference(before, after, &format!("{at}/{number}")))
        }
        _ => (kept != fresh).then(|| format!("{at} was {kept} and is {fresh}")),
    }
}

#[test]
fn a_difference_says_where_it_is() {
    let old = serde_json::json!({ "a": [{ "b": 1, "c": true }] });
    let new = serde_json::json!({ "a": [{ "b": 2, "c": true }] });
    assert_eq!(difference(&old, &old, "#"), None);
    assert_eq!(difference(&old, &new, "#").unwrap(), "#/a/0/b was 1 and is 2");
    assert_eq!(difference(&old, &serde_json::json!({ "a": [{ "b": 1, "d": true }] }), "#").unwrap(), "#/a/0/c is gone");
}
