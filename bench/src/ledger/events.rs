//! What comes over a socket, as the accounts take it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::accounts::{Amendment, Change, ChangeKind, Row, Text};
use super::bodies;
use super::world::World;
use crate::json::text_after;

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// One of a room's log: the room, its seq, what it is, and who wrote it where it is a message.
    Row {
        /// The room's number.
        room: usize,
        /// Its place.
        seq: u64,
        /// What.
        row: Row,
        /// Of a message.
        sender: Option<usize>,
        /// What it shows of a message.
        screen: Option<Screen>,
        /// Everything up to here has come.
        cursor: &'a str,
    },
    /// Nothing for the accounts, but it moves the cursor.
    Cursor(&'a str),
    /// The client is too far behind: rooms and their heads.
    Resync(Vec<(usize, u64)>, &'a str),
    /// Not durable.
    Nothing,
    /// Not what any server should send; what.
    Wrong(String),
}

/// What an event shows of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The message under this seq says this, with this rev.
    Text(u64, u64, Text),
    /// The message under this seq has these reactions.
    Reactions(u64, BTreeMap<String, u64>),
    /// Something else was done to the message under this seq.
    Other(u64),
}

#[derive(Deserialize)]
struct Fields<'a> {
    room: &'a str,
    seq: u64,
    #[serde(default)]
    rev: u64,
    cursor: &'a str,
    #[serde(borrow, default)]
    body: Cow<'a, str>,
    #[serde(default)]
    sender: &'a str,
    #[serde(default)]
    username: &'a str,
    nonce: Option<Cow<'a, str>>,
}

/// Reads `["name",{…}]`.
pub fn read<'a>(event: &'a str, world: &World) -> Said<'a> {
    let wrong = |why: &str| Said::Wrong(format!("{why}: {}", event.chars().take(300).collect::<String>()));
    let Some((name, rest)) = event.strip_prefix("[\"").and_then(|rest| rest.split_once("\",")) else { return wrong("no event") };
    let Some(object) = rest.strip_suffix(']') else { return wrong("no event") };
    match name {
        "new message" | "member joined" | "member left" => {}
        "message edited" | "message deleted" | "reactions changed" | "message pinned" | "message unpinned" => {
            return changed(name, event, object, world).unwrap_or_else(|| wrong("an unreadable change"));
        }
        "room created" | "room updated" => {
            return text_after(event, "\"cursor\":\"").map_or_else(|| wrong("no cursor"), Said::Cursor);
        }
        "resync" => return resync(event, object, world).unwrap_or_else(|| wrong("an unreadable resync")),
        _ => return Said::Nothing,
    }
    let fields: Fields<'_> = match serde_json::from_str(object) {
        Ok(fields) => fields,
        Err(error) => return wrong(&error.to_string()),
    };
    let Some(room) = world.room(fields.room) else { return wrong("an unknown room") };
    let text = |text| Some(Screen::Text(fields.seq, fields.rev, text));
    let (row, sender, screen) = match name {
        "new message" => match (bodies::read(&fields.body), World::user(fields.sender)) {
            (Some((number, edit)), Some(sender)) if fields.nonce.as_ref().is_none_or(|nonce| **nonce == number.to_string()) => {
                (Row::Message(number), Some(sender), text(edit.map_or(Text::First, Text::Edited)))
            }
            (None, Some(sender)) if fields.body.is_empty() => (Row::Gone, Some(sender), text(Text::Gone)),
            _ => return wrong("a message that nobody sent"),
        },
        _ => match World::user(fields.username) {
            Some(user) if name == "member joined" => (Row::Joined(user), None, None),
            Some(user) => (Row::Left(user), None, None),
            None => return wrong("an unknown user"),
        },
    };
    Said::Row { room, seq: fields.seq, row, sender, screen, cursor: fields.cursor }
}

/// What a message says.
pub fn text_of(message: &Value) -> Option<Text> {
    match message["body"].as_str()? {
        "" if message["deleted_at"].is_string() => Some(Text::Gone),
        body => bodies::read(body).map(|(_, edit)| edit.map_or(Text::First, Text::Edited)),
    }
}

/// A message's reactions: how often each emoji was used.
pub fn reactions_of(holder: &Value) -> BTreeMap<String, u64> {
    let counted = |one: &Value| Some((one["emoji"].as_str()?.to_owned(), one["count"].as_u64()?));
    holder["reactions"].as_array().into_iter().flatten().filter_map(counted).collect()
}

fn changed<'a>(name: &str, event: &'a str, object: &str, world: &World) -> Option<Said<'a>> {
    let fields: &Value = &serde_json::from_str(object).ok()?;
    let (room, seq, about) = (world.room(fields["room"].as_str()?)?, fields["seq"].as_u64()?, fields["ref"].as_u64()?);
    let message = &fields["message"];
    let text = || Some(Screen::Text(about, message["rev"].as_u64()?, text_of(message)?));
    let (amendment, screen) = match name {
        "message edited" => (Amendment::Edited, text()?),
        "message deleted" => (Amendment::Deleted, text()?),
        "reactions changed" => (Amendment::Reactions, Screen::Reactions(about, reactions_of(fields))),
        _ => (Amendment::Pinned, Screen::Other(about)),
    };
    // Behind the message, which has none.
    let cursor = text_after(event, "\"cursor\":\"")?;
    Some(Said::Row { room, seq, row: Row::Changed(about, amendment), sender: None, screen: Some(screen), cursor })
}

fn resync<'a>(event: &'a str, object: &str, world: &World) -> Option<Said<'a>> {
    let fields: Value = serde_json::from_str(object).ok()?;
    let head = |room: &Value| Some((world.room(room["id"].as_str()?)?, room["head"].as_u64()?));
    Some(Said::Resync(fields.get("rooms")?.as_array()?.iter().filter_map(head).collect(), text_after(event, "\"cursor\":\"")?))
}

/// An answer to a message: its seq, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It stands in the log under this seq.
    Acked(u64),
    /// Not now, or nobody knows: the same again, with the same nonce. The code.
    Again(String),
    /// No, for good. The code.
    Refused(String),
}

impl Answer {
    /// From the code of a refusal. After `internal` nobody knows whether it was done, so it is tried again.
    fn refusal(code: &str) -> Self {
        match code {
            "busy" | "rate_limited" | "internal" => Self::Again(code.to_owned()),
            _ => Self::Refused(code.to_owned()),
        }
    }

    /// From an acknowledgement's arguments, to the message of this number.
    pub fn of_ack(arguments: &str, number: usize) -> Self {
        let parsed: Value = serde_json::from_str(arguments).unwrap_or_default();
        let answer = parsed.get(0).unwrap_or(&Value::Null);
        if answer["ok"] == true { Self::of_message(&answer["message"], number) } else { Self::refused(&answer["error"]) }
    }

    /// From a REST answer.
    pub fn of_response(status: u16, body: &[u8], number: usize) -> Self {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        if matches!(status, 200 | 201) { Self::of_message(&parsed, number) } else { Self::refused(&parsed) }
    }

    fn refused(error: &Value) -> Self {
        Self::refusal(error["code"].as_str().unwrap_or("an answer without a code"))
    }

    /// An acknowledgement must name the very message that was sent. By the time of a second try it may have been edited or deleted.
    fn of_message(message: &Value, number: usize) -> Self {
        let text = |field: &str| message[field].as_str().unwrap_or_default();
        let is_it = match bodies::read(text("body")) {
            Some((said, _)) => said == number,
            None => message["deleted_at"].is_string(),
        };
        match message["seq"].as_u64() {
            Some(seq) if is_it && text("nonce") == number.to_string() => Self::Acked(seq),
            _ => Self::Refused("acknowledged as another message".to_owned()),
        }
    }

    /// From the acknowledgement of a change: the message's rev then, 0 where it is not told.
    pub fn of_change(arguments: &str, change: &Change) -> Self {
        let parsed: Value = serde_json::from_str(arguments).unwrap_or_default();
        let answer = parsed.get(0).unwrap_or(&Value::Null);
        if answer["ok"] != true {
            return Self::refused(&answer["error"]);
        }
        let message = &answer["message"];
        match change.kind {
            ChangeKind::React(_) | ChangeKind::Pin => Self::Acked(0),
            ChangeKind::Edit | ChangeKind::Delete if message["seq"].as_u64() == Some(change.seq) => {
                Self::Acked(message["rev"].as_u64().unwrap_or(0))
            }
            ChangeKind::Edit | ChangeKind::Delete => Self::Refused("acknowledged as another message".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn world() -> World {
        let mut world = World::draw(1, 10, 2);
        world.made(0, "r-0");
        world
    }

    #[test]
    fn the_events_of_the_log_are_read() {
        let message =
            json!(["new message", {"id": "m", "room": "r-0", "seq": 4, "rev": 4, "sender": "u3", "body": bodies::body(12), "cursor": "c"}])
                .to_string();
        let row = |row, sender, screen| Said::Row { room: 0, seq: 4, row, sender, screen, cursor: "c" };
        assert_eq!(read(&message, &world()), row(Row::Message(12), Some(3), Some(Screen::Text(4, 4, Text::First))));
        let left = r#"["member left",{"room":"r-0","seq":4,"username":"u3","cursor":"c"}]"#;
        assert_eq!(read(left, &world()), row(Row::Left(3), None, None));
        let edited = json!(["message edited", {"room": "r-0", "seq": 4, "ref": 2, "by": "u3", "cursor": "c",
            "message": {"seq": 2, "rev": 4, "body": bodies::edited(12, 5)}}])
        .to_string();
        let text = Screen::Text(2, 4, Text::Edited(5));
        assert_eq!(read(&edited, &world()), row(Row::Changed(2, Amendment::Edited), None, Some(text)));
        let reacted = json!(["reactions changed", {"room": "r-0", "seq": 4, "ref": 2, "cursor": "c",
            "reactions": [{"emoji": "👍", "count": 2, "usernames": []}]}])
        .to_string();
        let reactions = Screen::Reactions(2, BTreeMap::from([("👍".to_owned(), 2)]));
        assert_eq!(read(&reacted, &world()), row(Row::Changed(2, Amendment::Reactions), None, Some(reactions)));
        assert_eq!(read(r#"["room created",{"room":{"id":"r-0"},"cursor":"c"}]"#, &world()), Said::Cursor("c"));
        assert_eq!(read(r#"["resync",{"rooms":[{"id":"r-0","head":9}],"cursor":"c"}]"#, &world()), Said::Resync(vec![(0, 9)], "c"));
        assert_eq!(read(r#"["user online",{"username":"u3"}]"#, &world()), Said::Nothing);
    }

    #[test]
    fn what_nobody_sent_is_wrong() {
        let message = |body: &str, room: &str| {
            json!(["new message", {"room": room, "seq": 4, "sender": "u3", "body": body, "cursor": "c"}]).to_string()
        };
        assert!(matches!(read(&message(&bodies::body(1)[1..], "r-0"), &world()), Said::Wrong(_)));
        assert!(matches!(read(&message(&bodies::body(1), "r-1"), &world()), Said::Wrong(_)));
        assert!(matches!(read("[]", &world()), Said::Wrong(_)));
    }

    #[test]
    fn answers_are_acknowledgements_or_refusals() {
        let message = json!({"seq": 3, "body": bodies::body(5), "nonce": "5"});
        assert_eq!(Answer::of_ack(&json!([{"ok": true, "message": message}]).to_string(), 5), Answer::Acked(3));
        assert!(matches!(Answer::of_ack(&json!([{"ok": true, "message": message}]).to_string(), 6), Answer::Refused(_)));
        assert_eq!(Answer::of_ack(r#"[{"ok":false,"error":{"code":"busy"}}]"#, 5), Answer::Again("busy".to_owned()));
        assert_eq!(Answer::of_response(404, br#"{"code":"not_found"}"#, 5), Answer::Refused("not_found".to_owned()));
        assert_eq!(Answer::of_response(201, message.to_string().as_bytes(), 5), Answer::Acked(3));
    }
}
