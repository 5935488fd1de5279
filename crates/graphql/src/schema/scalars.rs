//! Scalars and enums of our own.

use async_graphql::{Enum, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use contract::{Format, RoomKind, Time};

/// A time in UTC with milliseconds, as RFC 3339 writes it: 2026-11-24T09:30:00.000Z.
pub(crate) struct DateTime(pub Time);

#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let time = value.into_json().ok().and_then(|json| serde_json::from_value(json).ok());
        time.map(DateTime).ok_or_else(|| InputValueError::custom("a time in RFC 3339 is needed"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// How a text is meant.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "MessageFormat")]
pub(crate) enum TextFormat {
    /// Markdown, as the clients agree on it.
    Markdown,
}

impl From<Format> for TextFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Markdown => Self::Markdown,
        }
    }
}

/// The three kinds of room.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "RoomKind")]
pub(crate) enum Kind {
    /// Exactly two people, one room a pair, for ever.
    Direct,
    /// Invited members.
    Group,
    /// Named and listed; anyone may join.
    Channel,
}

impl From<RoomKind> for Kind {
    fn from(kind: RoomKind) -> Self {
        match kind {
            RoomKind::Direct => Self::Direct,
            RoomKind::Group => Self::Group,
            RoomKind::Channel => Self::Channel,
        }
    }
}
