//! An event, encoded once for all who receive it.

use engineioxide::Str;
use serde::Serialize;

/// An encoded EVENT packet. A clone shares the bytes, so one frame serves any number of connections.
#[derive(Debug, Clone)]
pub struct Frame(Str);

impl Frame {
    /// Encodes the event `name` with one argument.
    ///
    /// # Errors
    /// The payload cannot be written as JSON, for instance a map with keys that are no strings.
    pub fn event<T: Serialize + ?Sized>(name: &str, payload: &T) -> Result<Frame, serde_json::Error> {
        serde_json::to_string(payload).map(|payload| Frame::raw(name, &payload))
    }

    /// Encodes the event `name` with one argument that is JSON text already; it must be valid, and is not checked.
    pub fn raw(name: &str, payload_json: &str) -> Frame {
        // A `str` always has a JSON form.
        let name = serde_json::Value::from(name).to_string();
        let mut text = String::with_capacity(name.len() + payload_json.len() + 4);
        text.push_str("2[");
        text.push_str(&name);
        text.push(',');
        text.push_str(payload_json);
        text.push(']');
        Frame(Str::from(text))
    }

    /// The packet's size in bytes, without what the transport adds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: the smallest packet has a type and a name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The packet as text, for tests and logs.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn packet(&self) -> Str {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_packet_with_one_argument() {
        let frame = Frame::event("new message", &serde_json::json!({"body": "a\"b"})).unwrap();
        assert_eq!(frame.as_str(), r#"2["new message",{"body":"a\"b"}]"#);
        assert_eq!(frame.len(), frame.as_str().len());
    }

    #[test]
    fn a_name_is_escaped() {
        assert_eq!(Frame::raw("a\"\u{1e}", "1").as_str(), "2[\"a\\\"\\u001e\",1]");
    }

    #[test]
    fn what_has_no_json_form_is_an_error() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(Frame::event("x", &map).is_err());
    }
}
