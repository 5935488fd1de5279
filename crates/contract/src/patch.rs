//! A field of a change: left out, null, or a value. The three mean different things.

use crate::Refusal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a change says about one field. The field has the attribute `#[serde(default, skip_serializing_if = "Patch::is_keep")]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Left out: it stays as it is.
    #[default]
    Keep,
    /// Null: it goes.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether it was left out.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The new value of a field that cannot be taken away; none if it was left out.
    ///
    /// # Errors
    /// `invalid_request` about the field: it is null.
    pub fn value(self, field: &str) -> Result<Option<T>, Refusal> {
        match self {
            Self::Keep => Ok(None),
            Self::Clear => Err(Refusal::invalid(field, format!("{field} cannot be null; leave it out if it is to stay as it is"))),
            Self::Set(value) => Ok(Some(value)),
        }
    }

    /// The same about another type.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(change(value)),
        }
    }

    /// The field after the change.
    pub fn applied(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => to.serialize_none(),
            Self::Set(value) => value.serialize(to),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Change {
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        topic: Patch<String>,
    }

    #[test]
    fn left_out_null_and_a_value_are_three_things() {
        for (json, topic) in [("{}", Patch::Keep), (r#"{"topic":null}"#, Patch::Clear), (r#"{"topic":"a"}"#, Patch::Set("a".to_owned()))] {
            let change: Change = serde_json::from_str(json).unwrap();
            assert_eq!(change, Change { topic });
            assert_eq!(serde_json::to_string(&change).unwrap(), json);
        }
    }

    #[test]
    fn it_is_applied() {
        assert_eq!(Patch::Keep.applied(Some(1)), Some(1));
        assert_eq!(Patch::Clear.applied(Some(1)), None);
        assert_eq!(Patch::Set(2).applied(Some(1)), Some(2));
        assert_eq!(
            [Patch::Keep, Patch::Clear, Patch::Set(1)].map(|patch| patch.map(|n| n + 1)),
            [Patch::Keep, Patch::Clear, Patch::Set(2)]
        );
        assert_eq!(Patch::<i64>::Keep.value("f"), Ok(None));
        assert_eq!(Patch::<i64>::Clear.value("f").unwrap_err().field.as_deref(), Some("f"));
    }
}
