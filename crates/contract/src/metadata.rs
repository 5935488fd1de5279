//! What an application notes on a message, a room or a user: a JSON object that the server keeps and returns, and never reads.

use crate::{Patch, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Most containers inside one another, the object itself included (rich.md, "message").
pub const DEPTH: usize = 5;

/// Most bytes on a message, as compact JSON (rich.md, "message").
pub const MESSAGE_BYTES: usize = 4 * 1024;

/// Most bytes on a room, as compact JSON (rich.md, "Rooms and users").
pub const ROOM_BYTES: usize = 8 * 1024;

/// Most bytes on a user, as compact JSON (rich.md, "Rooms and users").
pub const USER_BYTES: usize = 4 * 1024;

/// An object of at most [`DEPTH`] containers. How many bytes it may have depends on what it is on, so whoever keeps it checks that
/// ([`Metadata::fit`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({"poll": {"options": ["tea", "coffee"]}}))]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Metadata(Map<String, Value>);

impl TryFrom<Map<String, Value>> for Metadata {
    type Error = String;
    fn try_from(object: Map<String, Value>) -> Result<Self, String> {
        if deep(object.values()) > DEPTH {
            return Err(format!("metadata has at most {DEPTH} objects and arrays inside one another, itself included"));
        }
        Ok(Self(object))
    }
}

impl From<Metadata> for Map<String, Value> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

/// How many containers are inside one another, with the one that holds these values.
fn deep<'a>(values: impl Iterator<Item = &'a Value>) -> usize {
    let inner = values.map(|value| match value {
        Value::Object(object) => deep(object.values()),
        Value::Array(array) => deep(array.iter()),
        _ => 0,
    });
    inner.max().unwrap_or(0) + 1
}

impl Metadata {
    /// Its bytes as compact JSON.
    pub fn bytes(&self) -> usize {
        serde_json::to_string(&self.0).map_or(usize::MAX, |json| json.len())
    }

    /// The same, if it has at most so many bytes.
    ///
    /// # Errors
    /// What the rule is.
    pub fn fit(self, most: usize) -> Result<Self, String> {
        match self.bytes() {
            bytes if bytes <= most => Ok(self),
            bytes => Err(format!("metadata has at most {most} bytes as JSON, and this has {bytes}")),
        }
    }

    /// Applies a merge patch (RFC 7396): a field of the patch replaces the same field, null removes it, and objects are merged in turn.
    ///
    /// # Errors
    /// The outcome is too deep.
    pub fn merged(self, patch: Map<String, Value>) -> Result<Self, String> {
        let mut merged = self.0;
        merge(&mut merged, patch);
        merged.try_into()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What becomes of metadata by a change; at most so many bytes. Empty ones are none.
///
/// # Errors
/// `invalid_request` about `metadata`: the outcome is too large or too deep.
pub fn changed(before: Option<Metadata>, patch: &Patch<Map<String, Value>>, most: usize) -> Result<Option<Metadata>, Refusal> {
    let refused = |why| Refusal::invalid("metadata", why);
    match patch {
        Patch::Keep => Ok(before),
        Patch::Clear => Ok(None),
        Patch::Set(patch) => {
            let merged = before.unwrap_or_default().merged(patch.clone()).map_err(refused)?.fit(most).map_err(refused)?;
            Ok(Some(merged).filter(|metadata| !metadata.is_empty()))
        }
    }
}

fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(&name);
            }
            Value::Object(patch) => {
                let mut inner = match target.remove(&name) {
                    Some(Value::Object(inner)) => inner,
                    _ => Map::new(),
                };
                merge(&mut inner, patch);
                target.insert(name, Value::Object(inner));
            }
            value => {
                target.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            _ => panic!("not an object"),
        }
    }

    #[test]
    fn five_containers_are_the_most() {
        let five = json!({"a": {"b": {"c": [{}]}}});
        assert!(Metadata::try_from(object(five)).is_ok());
        let six = json!({"a": {"b": {"c": [[{}]]}}});
        assert!(Metadata::try_from(object(six)).is_err());
        assert!(serde_json::from_str::<Metadata>("[1]").is_err());
    }

    /// The examples of RFC 7396, appendix A, whose target and patch are objects.
    #[test]
    fn a_patch_is_merged_as_the_rfc_says() {
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let merged = Metadata::try_from(object(target)).unwrap().merged(object(patch.clone())).unwrap();
            assert_eq!(serde_json::to_value(merged).unwrap(), result, "{patch}");
        }
    }

    #[test]
    fn a_change_keeps_clears_or_merges() {
        let before = Metadata::try_from(object(json!({"a": 1}))).ok();
        let change = |patch| changed(before.clone(), &patch, 7);
        assert_eq!(change(Patch::Keep), Ok(before.clone()));
        assert_eq!(change(Patch::Clear), Ok(None));
        assert_eq!(change(Patch::Set(object(json!({"a": null})))), Ok(None), "empty ones are none");
        let refused = change(Patch::Set(object(json!({"b": 1})))).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("metadata"));
    }

    #[test]
    fn a_size_is_that_of_compact_json() {
        let metadata = Metadata::try_from(object(json!({"a": "ü"}))).unwrap();
        assert_eq!(metadata.bytes(), 10);
        assert!(metadata.clone().fit(10).is_ok());
        assert!(metadata.fit(9).is_err());
    }
}
