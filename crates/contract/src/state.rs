//! A user's own state: a small store of values under keys, which follows the user over all devices. The keys are [`crate::StateKey`].

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// Most bytes of a value, as compact JSON (rich.md, "A member's own state").
pub const VALUE_BYTES: usize = 16 * 1024;

/// Most keys of a user (rich.md, "A member's own state").
pub const KEYS: i64 = 5_000;

/// Most containers inside one another. What carries a value adds some more, and every reader of JSON has a limit.
const DEPTH: usize = 64;

/// Any JSON but null, of at most [`VALUE_BYTES`] and 64 containers inside one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct StateValue(Value);

impl TryFrom<Value> for StateValue {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        if value.is_null() {
            return Err("a value cannot be null; delete the key to remove it".to_owned());
        }
        if depth(&value) > DEPTH {
            return Err(format!("a value has at most {DEPTH} objects and arrays inside one another"));
        }
        let value = Self(value);
        match value.bytes() {
            bytes if bytes <= VALUE_BYTES => Ok(value),
            bytes => Err(format!("a value has at most {VALUE_BYTES} bytes as JSON, and this has {bytes}")),
        }
    }
}

impl From<StateValue> for Value {
    fn from(value: StateValue) -> Self {
        value.0
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(depth).max().unwrap_or(0) + 1,
        Value::Array(array) => array.iter().map(depth).max().unwrap_or(0) + 1,
        _ => 0,
    }
}

impl StateValue {
    /// It as compact JSON.
    pub fn json(&self) -> String {
        self.0.to_string()
    }

    /// Its bytes as compact JSON.
    pub fn bytes(&self) -> usize {
        self.json().len()
    }
}

/// Written by hand, because a derived one would allow null.
impl PartialSchema for StateValue {
    #[allow(deprecated, reason = "all other types have one example, under this name")]
    fn schema() -> RefOr<Schema> {
        let kinds = [Type::Object, Type::Array, Type::String, Type::Number, Type::Boolean];
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter(kinds))
            .description(Some("Any JSON but null, of at most 16 KiB and 64 objects and arrays inside one another."))
            .example(Some(json!({"body": "see you at"})))
            .into()
    }
}

impl ToSchema for StateValue {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("StateValue")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_any_json_but_null() {
        for value in [json!({}), json!([null]), json!("a\u{0}"), json!(1.5), json!(false)] {
            let kept: StateValue = serde_json::from_str(&StateValue::try_from(value.clone()).unwrap().json()).unwrap();
            assert_eq!(Value::from(kept), value);
        }
        assert!(StateValue::try_from(Value::Null).is_err());
    }

    #[test]
    fn it_has_a_largest_size() {
        assert!(StateValue::try_from(json!("x".repeat(VALUE_BYTES - 2))).is_ok());
        assert!(StateValue::try_from(json!("x".repeat(VALUE_BYTES - 1))).is_err());
        let nested = |count| (0..count).fold(json!(1), |inner, _| json!([inner]));
        assert!(StateValue::try_from(nested(DEPTH)).is_ok());
        assert!(StateValue::try_from(nested(DEPTH + 1)).is_err());
    }
}
