//! What a member may ask for: a message, or a change of one.

use std::io::Write as _;

use crate::virtual_users::User;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A message; it becomes this `seq`, if nobody else writes to the room meanwhile.
    Send {
        /// Its `seq`.
        seq: u64,
    },
    /// A message that mentions a member of the room by name.
    Mention {
        /// Its `seq`, as above.
        seq: u64,
        /// The member's place in the room, from 0 on.
        member: usize,
    },
    /// A message in a thread alone.
    Reply {
        /// Its `seq`, as above.
        seq: u64,
        /// The `seq` of the thread's first message.
        root: u64,
    },
    /// Another text, of the same length.
    Edit {
        /// Of which message.
        seq: u64,
    },
    /// A reaction.
    React {
        /// To which message.
        seq: u64,
        /// With what.
        emoji: &'static str,
        /// Given, or taken back.
        on: bool,
    },
    /// It shall be gone.
    Delete {
        /// Which message.
        seq: u64,
    },
}

/// Digits at the beginning of a body: the message's `seq`, and a letter that tells whether it was edited. Like the stamp of `chat`.
const STAMP: usize = 16;

/// The text of this message: so many bytes, of which the beginning differs.
pub fn body(seq: u64, edited: bool, bytes: usize) -> String {
    let (edited, rest) = (if edited { 'e' } else { 'a' }, bytes.saturating_sub(STAMP));
    format!("{seq:015x}{edited}{}", "x".repeat(rest))
}

impl Request {
    /// Writes it as the event with this number, for a room with this id that begins with these members.
    pub(super) fn write(self, text: &mut Vec<u8>, number: usize, room: &str, members: &[User], bytes: usize) {
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Send { seq } => {
                let body = body(seq, false, bytes);
                write!(text, "42{number}[\"message\",{{\"room\":\"{room}\",\"body\":\"{body}\",\"nonce\":\"{seq}\"}}]")
            }
            Self::Mention { seq, member } => {
                let (body, name) = (body(seq, false, bytes), members.get(member).map_or("", |user| user.name.as_str()));
                let mentions = format!("{{\"users\":[\"{name}\"]}}");
                write!(
                    text,
                    "42{number}[\"message\",{{\"room\":\"{room}\",\"body\":\"{body}\",\"nonce\":\"{seq}\",\"mentions\":{mentions}}}]"
                )
            }
            Self::Reply { seq, root } => {
                let body = body(seq, false, bytes);
                write!(text, "42{number}[\"message\",{{\"room\":\"{room}\",\"body\":\"{body}\",\"nonce\":\"{seq}\",\"thread\":{root}}}]")
            }
            Self::Edit { seq } => {
                let body = body(seq, true, bytes);
                write!(text, "42{number}[\"edit message\",{{\"room\":\"{room}\",\"seq\":{seq},\"body\":\"{body}\"}}]")
            }
            Self::React { seq, emoji, on } => {
                write!(text, "42{number}[\"react\",{{\"room\":\"{room}\",\"seq\":{seq},\"emoji\":\"{emoji}\",\"on\":{on}}}]")
            }
            Self::Delete { seq } => write!(text, "42{number}[\"delete message\",{{\"room\":\"{room}\",\"seq\":{seq}}}]"),
        };
    }

    /// The `seq` of the message that the acknowledgement carries; that of a reaction carries none.
    pub fn answers(self) -> Option<u64> {
        match self {
            Self::Send { seq } | Self::Mention { seq, .. } | Self::Reply { seq, .. } | Self::Edit { seq } | Self::Delete { seq } => {
                Some(seq)
            }
            Self::React { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(request: Request) -> Value {
        let mut text = Vec::new();
        let mut members = [User::default(), User::default()];
        members[1].name = "b".to_owned();
        request.write(&mut text, 7, "r", &members, 20);
        serde_json::from_slice(text.strip_prefix(b"427").unwrap()).unwrap()
    }

    #[test]
    fn requests_are_the_events_of_the_contract() {
        let (sent, edited) = (body(10, false, 20), body(10, true, 20));
        assert_eq!((sent.as_str(), edited.len()), ("00000000000000aaxxxx", 20));
        assert_ne!(sent, edited);
        assert_eq!(written(Request::Send { seq: 10 }), json!(["message", { "room": "r", "body": sent, "nonce": "10" }]));
        let mention = json!(["message", { "room": "r", "body": sent, "nonce": "10", "mentions": { "users": ["b"] } }]);
        assert_eq!(written(Request::Mention { seq: 10, member: 1 }), mention);
        let reply = json!(["message", { "room": "r", "body": sent, "nonce": "10", "thread": 3 }]);
        assert_eq!(written(Request::Reply { seq: 10, root: 3 }), reply);
        assert_eq!(written(Request::Edit { seq: 10 }), json!(["edit message", { "room": "r", "seq": 10, "body": edited }]));
        let react = Request::React { seq: 10, emoji: "👍", on: false };
        assert_eq!(written(react), json!(["react", { "room": "r", "seq": 10, "emoji": "👍", "on": false }]));
        assert_eq!(written(Request::Delete { seq: 10 }), json!(["delete message", { "room": "r", "seq": 10 }]));
        assert_eq!((react.answers(), Request::Delete { seq: 10 }.answers()), (None, Some(10)));
    }
}
