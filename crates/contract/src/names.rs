//! Texts with rules. A value of one of these types has passed its rules, wherever it came from: reading one from JSON checks it.
//! The error's text says what is allowed; the edge adds the field's name.
//!
//! Names that people see have two types, and so has what a user says beside one. [`NewDisplayName`], [`NewRoomName`] and [`NewStatus`] are
//! what somebody asks for, and have today's rules; [`DisplayName`], [`RoomName`] and [`Status`] are what is kept, sent and told, and have the
//! rules that hold for every name that was ever taken. So a name from before a rule is read, from a database and from a process of another
//! age, and cannot be set again.

use crate::nickname::{self, Wrong};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

/// Most characters in a message's body, where the settings do not say otherwise (api.md, "message").
pub const BODY_CHARS: usize = 8_000;

/// What is wrong with a text that shows nothing.
pub const BLANK_BODY: &str = "a message needs at least one character that is not white space";

macro_rules! text {
    ($(#[doc = $doc:literal])* #[schema($($schema:tt)*)] $name:ident, $check:path) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[schema($($schema)*)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                $check(text).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = String;
            fn try_from(text: &str) -> Result<Self, String> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }
    };
}

macro_rules! shown {
    ($($name:ident),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

text!(
    /// 1-32 of `a-z 0-9 . _ -`, starting and ending with a letter or digit; A-Z are lower-cased on the way in.
    #[schema(value_type = String, min_length = 1, max_length = 32, pattern = "^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", example = "alice")]
    Username,
    username
);
text!(
    /// A user's name for people, as it is kept: 1-64 characters, not blank.
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[^\\u0000]*$", example = "Alice")]
    DisplayName,
    display_name
);
text!(
    /// A user's name for people, as somebody asks for it: 1-64 characters of which one shows, without control characters, line breaks,
    /// and what is invisible or turns the direction of writing; emoji may have all that they are made of. Spaces at the ends go, several
    /// become one.
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Alice")]
    NewDisplayName,
    new_display_name
);
text!(
    /// A room's name, as it is kept: 1-100 characters, not blank.
    #[schema(value_type = String, min_length = 1, max_length = 100, pattern = "^[^\\u0000]*$", example = "general")]
    RoomName,
    room_name
);
text!(
    /// A room's name, as somebody asks for it: 1-100 characters of which one shows, without control characters, line breaks, and what is
    /// invisible or turns the direction of writing; emoji may have all that they are made of. Spaces at the ends go, several become one.
    #[schema(value_type = String, min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "general")]
    NewRoomName,
    new_room_name
);
text!(
    /// What a user says beside their name, as it is kept: up to 140 characters.
    #[schema(value_type = String, max_length = 140, pattern = "^[^\\u0000]*$", example = "Out for lunch 🍜")]
    Status,
    status
);
text!(
    /// What a user says beside their name, as somebody asks for it: up to 140 characters, without control characters, line breaks, and what is
    /// invisible or turns the direction of writing; emoji may have all that they are made of. Spaces at the ends go, several become one; what
    /// is left blank then is no status.
    #[schema(value_type = String, max_length = 140, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Out for lunch 🍜")]
    NewStatus,
    new_status
);
text!(
    /// A message's text: at least one character that is not white space, no NUL, kept exactly as sent. It is empty in a deleted message, and
    /// may be in one that has `metadata` and a `type`. How long it may be is a setting, so the length is checked where the message is sent.
    #[schema(value_type = String, max_length = 8000, pattern = "^[^\\u0000]*$", example = "hello")]
    Body,
    body
);
text!(
    /// The application's own word for what a message is: 1-32 of `a-z 0-9 . _ -`.
    #[schema(value_type = String, min_length = 1, max_length = 32, pattern = "^[a-z0-9._-]+$", example = "poll")]
    MessageType,
    message_type
);
text!(
    /// What somebody reacts with: 1-64 bytes of text without white space, control characters and `/`, and not `.` or `..`. It is normalised
    /// to NFC, and U+FE0F goes from its end, so that one emoji is not counted as two.
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[^\\s/\\u0000-\\u001f\\u007f-\\u009f]+$", example = "👍")]
    Emoji,
    emoji
);
text!(
    /// What a room is about: up to 500 characters.
    #[schema(value_type = String, max_length = 500, pattern = "^[^\\u0000]*$", example = "Where we plan the summer")]
    Topic,
    topic
);
text!(
    /// Why a message was deleted, for its room to read: up to 500 characters.
    #[schema(value_type = String, max_length = 500, pattern = "^[^\\u0000]*$", example = "off topic")]
    Reason,
    reason
);
text!(
    /// A client's own key for one send: 1-64 characters.
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[^\\u0000]*$", example = "c0ffee-1")]
    Nonce,
    nonce
);
text!(
    /// What a user keeps something under, in the own state: 1-200 of `a-z A-Z 0-9 . _ : -`, and not `.` or `..`.
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = "^[a-zA-Z0-9._:-]+$",
        example = "draft:01890a5d-ac96-774b-bcce-b302099a8057")]
    StateKey,
    state_key
);
text!(
    /// 8-128 characters. It is never shown, not even in debug output.
    #[schema(value_type = String, format = "password", min_length = 8, max_length = 128, pattern = "^[^\\u0000]*$", example = "correct horse battery")]
    Password,
    password
);
shown!(
    Username,
    DisplayName,
    NewDisplayName,
    RoomName,
    NewRoomName,
    Status,
    NewStatus,
    Body,
    MessageType,
    Emoji,
    Topic,
    Reason,
    Nonce,
    StateKey
);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl From<&Username> for DisplayName {
    /// A display name is at first the username, whose rules are the stricter ones.
    fn from(username: &Username) -> Self {
        Self(username.0.clone())
    }
}

impl From<NewDisplayName> for DisplayName {
    fn from(new: NewDisplayName) -> Self {
        Self(new.0)
    }
}

impl From<NewRoomName> for RoomName {
    fn from(new: NewRoomName) -> Self {
        Self(new.0)
    }
}

impl From<NewStatus> for Status {
    fn from(new: NewStatus) -> Self {
        Self(new.0)
    }
}

fn username(text: String) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let bytes = name.as_bytes();
    if bytes.len() <= 32 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| inner(*b)) {
        Ok(name)
    } else {
        Err("a username is 1-32 characters of a-z 0-9 . _ -, starting and ending with a letter or digit".into())
    }
}

const DISPLAY_NAME_CHARS: usize = 64;
const ROOM_NAME_CHARS: usize = 100;
const STATUS_CHARS: usize = 140;

fn display_name(text: String) -> Result<String, String> {
    named(text, DISPLAY_NAME_CHARS, "a display name")
}

fn new_display_name(text: String) -> Result<String, String> {
    new_name(&text, DISPLAY_NAME_CHARS, "a display name")
}

fn room_name(text: String) -> Result<String, String> {
    named(text, ROOM_NAME_CHARS, "a room's name")
}

fn new_room_name(text: String) -> Result<String, String> {
    new_name(&text, ROOM_NAME_CHARS, "a room's name")
}

fn new_name(text: &str, most: usize, what: &str) -> Result<String, String> {
    nickname::kept(text, most).map_err(|wrong| match wrong {
        Wrong::Blank | Wrong::Long => format!("{what} is 1-{most} characters and not blank"),
        Wrong::Holds(c) => holds(c, what),
    })
}

fn holds(c: char, what: &str) -> String {
    format!(
        "{what} may not hold control characters, line breaks, or what is invisible or turns the direction of writing; \
         U+{:04X} stands in this one",
        u32::from(c)
    )
}

fn status(text: String) -> Result<String, String> {
    at_most(text, STATUS_CHARS, "a status")
}

fn new_status(text: String) -> Result<String, String> {
    match nickname::kept(&text, STATUS_CHARS) {
        Ok(kept) => Ok(kept),
        Err(Wrong::Blank) => Ok(String::new()),
        Err(Wrong::Long) => Err(format!("a status has at most {STATUS_CHARS} characters")),
        Err(Wrong::Holds(c)) => Err(holds(c, "a status")),
    }
}

fn named(text: String, most: usize, what: &str) -> Result<String, String> {
    without_nul(&text)?;
    if text.trim().is_empty() || text.chars().count() > most {
        return Err(format!("{what} is 1-{most} characters and not blank"));
    }
    Ok(text)
}

fn body(text: String) -> Result<String, String> {
    without_nul(&text)?;
    if !text.is_empty() && text.trim().is_empty() {
        return Err(BLANK_BODY.into());
    }
    Ok(text)
}

fn message_type(text: String) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err("a message's type is 1-32 characters of a-z 0-9 . _ -".into())
    }
}

/// Most bytes of an emoji. Any text may serve as one (`:party:`), so it has the room of a word.
const EMOJI_BYTES: usize = 64;

fn emoji(text: String) -> Result<String, String> {
    let normal: String = text.nfc().collect();
    let normal = normal.trim_end_matches('\u{fe0f}');
    let is_path = normal == "." || normal == ".." || normal.contains('/');
    let breaks = |c: char| c.is_whitespace() || c.is_control();
    if normal.is_empty() || normal.len() > EMOJI_BYTES || is_path || normal.contains(breaks) {
        let rule = "without white space, control characters and /, and not . or ..";
        return Err(format!("an emoji is 1-{EMOJI_BYTES} bytes of text {rule}"));
    }
    Ok(normal.to_owned())
}

fn topic(text: String) -> Result<String, String> {
    at_most(text, 500, "a topic")
}

fn reason(text: String) -> Result<String, String> {
    at_most(text, 500, "a reason")
}

fn at_most(text: String, most: usize, what: &str) -> Result<String, String> {
    without_nul(&text)?;
    if text.chars().count() > most { Err(format!("{what} has at most {most} characters")) } else { Ok(text) }
}

fn nonce(text: String) -> Result<String, String> {
    without_nul(&text)?;
    if text.is_empty() || text.chars().count() > 64 {
        return Err("a nonce is 1-64 characters".into());
    }
    Ok(text)
}

fn state_key(text: String) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    // In a path these two would mean the folder.
    let is_path = text == "." || text == "..";
    if (1..=200).contains(&text.len()) && text.bytes().all(allowed) && !is_path {
        Ok(text)
    } else {
        Err("a key is 1-200 characters of a-z A-Z 0-9 . _ : -, and not . or ..".into())
    }
}

fn password(text: String) -> Result<String, String> {
    without_nul(&text)?;
    if !(8..=128).contains(&text.chars().count()) {
        return Err("a password is 8-128 characters".into());
    }
    Ok(text)
}

// PostgreSQL cannot keep a NUL in a text, so no engine does.
fn without_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("a text may not contain the character NUL (U+0000)".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames() {
        assert_eq!(Username::try_from("Al.ice_-9").unwrap().as_str(), "al.ice_-9");
        assert_eq!(Username::try_from("a").unwrap().as_str(), "a");
        let long = "a".repeat(33);
        for wrong in ["", ".a", "a.", "-", "a b", "ä", "İ", &long, "a\0b", "\u{212a}"] {
            assert!(Username::try_from(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn texts_count_characters_not_bytes() {
        assert!(DisplayName::try_from("😀".repeat(64)).is_ok());
        assert!(DisplayName::try_from("😀".repeat(65)).is_err());
        assert!(DisplayName::try_from(" \t\u{a0}").is_err());
        assert!(RoomName::try_from("x".repeat(101)).is_err());
        assert!(Nonce::try_from("").is_err());
        assert!(Password::try_from("1234567").is_err());
    }

    #[test]
    fn a_name_from_before_a_rule_is_read_and_cannot_be_set_again() {
        let old = "\u{202e}ecilA\n ";
        assert_eq!(serde_json::from_value::<DisplayName>(old.into()).unwrap().as_str(), old);
        assert_eq!(serde_json::from_value::<RoomName>(old.into()).unwrap().as_str(), old);
        let refused = serde_json::from_value::<NewRoomName>(old.into()).unwrap_err().to_string();
        assert!(refused.contains("U+202E"), "{refused}");
        assert!(NewDisplayName::try_from(old).unwrap_err().starts_with("a display name may not hold"));
        assert_eq!(NewDisplayName::try_from("\u{2800} ").unwrap_err(), "a display name is 1-64 characters and not blank");
        assert_eq!(NewRoomName::try_from("  the  plan ").map(RoomName::from), RoomName::try_from("the plan"));
    }

    #[test]
    fn a_status_is_one_line_that_shows_or_nothing() {
        let kept = |text: &str| NewStatus::try_from(text).map(String::from);
        assert_eq!(kept("  out for\u{a0} lunch 🍜 "), Ok("out for lunch 🍜".to_owned()));
        for blank in ["", "  ", "\u{2800}"] {
            assert_eq!(kept(blank), Ok(String::new()), "{blank:?}");
        }
        assert!(kept(&"😀".repeat(140)).is_ok());
        assert_eq!(kept(&"x".repeat(141)), Err("a status has at most 140 characters".to_owned()));
        for wrong in ["a\nb", "a\u{7}b", "\u{202e}hcnul", "a\0b"] {
            assert!(kept(wrong).unwrap_err().starts_with("a status may not hold"), "{wrong:?}");
        }
        assert!(Status::try_from("\u{202e}hcnul").is_ok(), "one from before a rule is read");
    }

    #[test]
    fn a_body_is_kept_exactly() {
        assert_eq!(Body::try_from(" a \n").unwrap().as_str(), " a \n");
        assert!(Body::try_from(" \n\u{2003}").is_err());
        assert!(Body::try_from("a\0").is_err());
    }

    #[test]
    fn an_emoji_is_normalised_and_no_path() {
        let kept = |text: &str| Emoji::try_from(text).map(String::from);
        assert_eq!(kept("❤\u{fe0f}"), kept("❤"));
        assert_eq!(kept("e\u{301}"), Ok("é".to_owned()));
        assert_eq!(kept(":party:"), Ok(":party:".to_owned()));
        assert!(kept("👩\u{200d}🚀").is_ok());
        let long = "a".repeat(65);
        for wrong in ["", " ", "a b", "a/b", "/", ".", "..", "\u{fe0f}", "a\0", "a\n", &long] {
            assert!(kept(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_is_a_word_of_a_path() {
        let long = "k".repeat(200);
        for right in ["a", "draft:0199f3c1-02d5-7b60-8f6e-3c9a7e5d1f20:7", "A.b_C-9", "...", &long] {
            assert!(StateKey::try_from(right).is_ok(), "{right:?}");
        }
        let long = "k".repeat(201);
        for wrong in ["", ".", "..", "a b", "a/b", "ä", "a%", "a\0", &long] {
            assert!(StateKey::try_from(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_password_does_not_show() {
        assert!(!format!("{:?}", Password::try_from("hunter2hunter2").unwrap()).contains("hunter2"));
    }
}
