//! What a row of the log holds besides its text, as one JSON object in the column `extra`. Most rows have none.

use contract::calls::messages::Rich;
use contract::{Format, MessageType, Metadata, Topic, UserId};
use serde::{Deserialize, Serialize};

/// What a message, or an edit of one, has besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extra {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub message_type: Option<MessageType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The seq of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<i64>,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "MentionIds::is_empty")]
    pub mentions: MentionIds,
}

/// Whom a message mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MentionIds {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserId>,
    /// Everybody in the room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub room: bool,
}

impl MentionIds {
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty() && !self.room
    }
}

impl From<Rich> for Extra {
    /// What the request says by itself. Mentions are names there, so they come later; `clears` is no part of the message.
    fn from(Rich { message_type, format, metadata, reply_to, thread: _, also_in_room: _, mentions: _, clears: _ }: Rich) -> Self {
        let metadata = metadata.filter(|metadata| !metadata.is_empty());
        Self { message_type, format, metadata, reply_to, mentions: MentionIds::default() }
    }
}

impl Extra {
    /// Reads the column. Nothing is read from what is broken: `guild check` tells of that.
    pub(crate) fn read(column: Option<&str>) -> Self {
        column.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// The column; none where nothing is in it.
    pub(crate) fn column(&self) -> Option<String> {
        if *self == Self::default() { None } else { serde_json::to_string(self).ok() }
    }

    /// The message that a column says is answered.
    pub(crate) fn reply_to(column: &str) -> Option<i64> {
        // Most of what has an extra is no reply.
        if column.contains("\"reply_to\"") { Self::read(Some(column)).reply_to } else { None }
    }

    /// Whom a column says is mentioned.
    pub(crate) fn mentions(column: Option<&str>) -> MentionIds {
        // Most of what has an extra mentions nobody.
        let column = column.filter(|column| column.contains("\"mentions\""));
        column.map_or_else(MentionIds::default, |column| Self::read(Some(column)).mentions)
    }

    /// Whether a message with this needs no text: its application knows what it is.
    pub(crate) fn speaks(&self) -> bool {
        self.message_type.is_some() && self.metadata.is_some()
    }
}

/// What a row about a room has besides the room's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomExtra {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_takes_no_column() {
        assert_eq!(Extra::default().column(), None);
        let rich = Rich { metadata: Some(Metadata::default()), ..Rich::default() };
        assert_eq!(Extra::from(rich).column(), None, "empty metadata are none");
    }

    #[test]
    fn a_column_is_read_as_it_was_written() {
        let extra = Extra { message_type: "poll".try_into().ok(), reply_to: Some(7), ..Extra::default() };
        let column = extra.column().unwrap();
        assert_eq!(Extra::read(Some(&column)), extra);
        assert_eq!(Extra::reply_to(&column), Some(7));
        assert_eq!(Extra::reply_to(r#"{"type":"poll"}"#), None);
    }
}
