//! The text form of Socket.IO 5's packets: type, attachments, namespace, acknowledgement id, JSON.
//!
//! It accepts what the reference parser (`socket.io-parser` 4) accepts, less what this server has no use for: an event's name is text,
//! an acknowledgement id fits into 64 bits, and names, arguments and attachments are bounded.

use serde_json::{Value, value::RawValue};

/// The reference parser's default bound for the attachments of one packet.
const MAX_ATTACHMENTS: usize = 10;
/// Bytes of a namespace's name; the reference has no bound, but a name is echoed.
const MAX_NAMESPACE: usize = 256;
/// Elements of an event's array, name included; keeps the work that one frame causes in proportion.
const MAX_ELEMENTS: usize = 256;
/// Names that the clients use for themselves, and that the reference parser refuses.
const RESERVED: [&str; 6] = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet that a client sent.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    /// The namespace; `/` if none is named.
    pub(crate) namespace: &'a str,
    pub(crate) body: Body,
}

/// What a packet says.
#[derive(Debug)]
pub(crate) enum Body {
    Connect {
        auth: Value,
    },
    Disconnect,
    Event {
        name: String,
        args: Vec<Box<RawValue>>,
        ack: Option<u64>,
        /// Binary messages that follow; `None` for an event that is all text.
        attachments: Option<usize>,
    },
    /// An acknowledgement, which this server never asks for; its attachments must still be taken.
    Ack {
        attachments: usize,
    },
    /// Only servers send it.
    ConnectError,
}

/// Why a packet is malformed, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads one packet.
pub(crate) fn parse(text: &str) -> Result<Packet<'_>, Malformed> {
    let mut rest = text;
    let kind = take(&mut rest, 1).ok_or(Malformed("no packet type"))?;
    let attachments = match kind {
        "5" | "6" => Some(take_attachments(&mut rest)?),
        _ => None,
    };
    let namespace = take_namespace(&mut rest)?;
    let ack = take_id(&mut rest)?;
    let body = match kind {
        "0" => Body::Connect { auth: auth(rest)? },
        "1" if rest.is_empty() => Body::Disconnect,
        "1" => return Err(Malformed("a DISCONNECT with a payload")),
        "2" | "5" => {
            let (name, args) = event(rest)?;
            Body::Event { name, args, ack, attachments }
        }
        "3" | "6" => {
            elements(rest)?;
            Body::Ack { attachments: attachments.unwrap_or(0) }
        }
        "4" => Body::ConnectError,
        _ => return Err(Malformed("an unknown packet type")),
    };
    Ok(Packet { namespace, body })
}

/// Takes `len` bytes off the front, if there are so many and the cut is between characters.
fn take<'a>(rest: &mut &'a str, len: usize) -> Option<&'a str> {
    let (front, back) = rest.split_at_checked(len)?;
    *rest = back;
    Some(front)
}

/// Takes the digits off the front.
fn take_digits<'a>(rest: &mut &'a str) -> &'a str {
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    take(rest, len).unwrap_or_default()
}

fn take_attachments(rest: &mut &str) -> Result<usize, Malformed> {
    let count = take_digits(rest).parse().map_err(|_| Malformed("no number of attachments"))?;
    if take(rest, 1) != Some("-") {
        return Err(Malformed("no dash after the number of attachments"));
    }
    if count > MAX_ATTACHMENTS {
        return Err(Malformed("too many attachments"));
    }
    Ok(count)
}

fn take_namespace<'a>(rest: &mut &'a str) -> Result<&'a str, Malformed> {
    if !rest.starts_with('/') {
        return Ok("/");
    }
    let (name, after) = rest.split_once(',').unwrap_or((rest, ""));
    if name.len() > MAX_NAMESPACE || name.contains(char::is_control) {
        return Err(Malformed("an impossible namespace"));
    }
    *rest = after;
    Ok(name)
}

fn take_id(rest: &mut &str) -> Result<Option<u64>, Malformed> {
    match take_digits(rest) {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| Malformed("an acknowledgement id beyond 64 bits")),
    }
}

/// The `auth` of a CONNECT: an object, or nothing, which is an empty one.
fn auth(json: &str) -> Result<Value, Malformed> {
    if json.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_str(json) {
        Ok(auth @ Value::Object(_)) => Ok(auth),
        _ => Err(Malformed("a CONNECT whose auth is no object")),
    }
}

fn event(json: &str) -> Result<(String, Vec<Box<RawValue>>), Malformed> {
    let elements = elements(json)?;
    let (name, args) = elements.split_first().ok_or(Malformed("an event without a name"))?;
    let name: String = serde_json::from_str(name.get()).map_err(|_| Malformed("an event whose name is no text"))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(Malformed("an event with a reserved name"));
    }
    Ok((name, args.iter().map(|arg| (*arg).to_owned()).collect()))
}

/// The elements of an array, unread: `RawValue` checks their form without recursion, so that depth costs no stack.
fn elements(json: &str) -> Result<Vec<&RawValue>, Malformed> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Malformed("a payload that is no JSON array"))?;
    if elements.len() > MAX_ELEMENTS {
        return Err(Malformed("too many arguments"));
    }
    Ok(elements)
}

/// DISCONNECT from `/`.
pub(crate) const DISCONNECT: &str = "1";

/// The answer to a CONNECT to `/`.
pub(crate) fn connect(sid: &str) -> String {
    format!(r#"0{{"sid":"{sid}"}}"#)
}

/// The refusal of a CONNECT to `/`.
pub(crate) fn connect_error(message: &str, data: &Value) -> String {
    let mut error = serde_json::Map::new();
    error.insert("message".to_owned(), message.into());
    if !data.is_null() {
        error.insert("data".to_owned(), data.clone());
    }
    format!("4{}", Value::Object(error))
}

/// The refusal of a CONNECT to another namespace, in the reference server's words.
pub(crate) fn invalid_namespace(namespace: &str) -> String {
    format!(r#"4{namespace},{{"message":"Invalid namespace"}}"#)
}

/// An acknowledgement with one argument.
pub(crate) fn ack(id: u64, json: &str) -> String {
    format!("3{id}[{json}]")
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
