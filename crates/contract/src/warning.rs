//! What was done, but not as all that was asked. It knows no transport: an acknowledgement has its warnings beside its resource, a REST answer in
//! a header. What was not done at all is a [`Refusal`](crate::Refusal).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of warning. A client passes over those that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// The request has a field that is not known here; it was ignored.
    UnknownField,
    /// The message mentions everybody, which its sender may not here; it was sent without that.
    MentionDropped,
}

/// A warning: the code, a sentence for people, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// For programs.
    pub code: WarningCode,
    /// The request's field that it is about; of a long name the first 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "colour")]
    pub field: Option<String>,
    /// For people: what was not done.
    #[schema(example = "there is no field \"colour\" here: it was ignored")]
    pub detail: String,
}

impl Warning {
    /// An unknown field, which was ignored.
    pub fn unknown_field(name: impl Into<String>) -> Self {
        let name = name.into();
        let detail = format!("there is no field {name:?} here: it was ignored");
        Self { code: WarningCode::UnknownField, field: Some(name), detail }
    }
}

impl Warning {
    /// A mention of everybody by one who may not.
    pub fn mention_dropped() -> Self {
        let detail = "in a room of more than 100 members only its owner mentions everybody: the message is there without that";
        Self { code: WarningCode::MentionDropped, field: Some("mentions".to_owned()), detail: detail.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named() {
        assert_eq!(
            serde_json::to_value(Warning::unknown_field("colour")).unwrap(),
            serde_json::json!({ "code": "unknown_field", "field": "colour", "detail": "there is no field \"colour\" here: it was ignored" })
        );
    }
}
