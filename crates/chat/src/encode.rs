//! From the log's entries to frames. An event is encoded once, however many sockets get it. A message is encoded twice, because only its
//! sender sees its nonce.

use contract::UserId;
use contract::log::{Entry, Event};
use contract::wire::Told;
use serde::Serialize;
use socketio::Frame;

/// An event with its payload; `None` (and a line in the log) if it has no JSON form, which all of ours have.
pub(crate) fn frame<T: Serialize>(name: &str, payload: &T) -> Option<Frame> {
    Frame::event(name, payload).map_err(|error| tracing::error!(event = name, %error, "an event has no JSON form")).ok()
}

/// One entry's frames, each encoded for the first socket that needs it.
pub(crate) struct Frames<'a> {
    entry: &'a Entry,
    cursor: String,
    /// For the sender of a message that has a nonce.
    own: Option<Frame>,
    others: Option<Frame>,
}

impl<'a> Frames<'a> {
    /// The frames of this entry; `cursor` covers everything up to it.
    pub(crate) fn new(entry: &'a Entry, cursor: String) -> Self {
        Self { entry, cursor, own: None, others: None }
    }

    /// The frame for this reader.
    pub(crate) fn of(&mut self, reader: UserId) -> Option<&Frame> {
        let own = match &self.entry.event {
            Event::NewMessage { sender, message } => sender.id == reader && message.nonce.is_some(),
            _ => false,
        };
        let kept = if own { &mut self.own } else { &mut self.others };
        if kept.is_none() {
            *kept = encode(&self.entry.event, own, &self.cursor);
        }
        kept.as_ref()
    }
}

fn encode(event: &Event, own: bool, cursor: &str) -> Option<Frame> {
    let (name, told) = Told::of(event, own, cursor.to_owned());
    frame(name, &told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Message, MessageId, RoomId, Time, UserRef};

    #[test]
    fn only_the_sender_sees_the_nonce() {
        let sender = UserRef { id: UserId::new(), username: "ann".try_into().unwrap() };
        let (id, room, body) = (MessageId::new(), RoomId::new(), "hi".try_into().unwrap());
        let message = Message::plain(id, room, 1, sender.username.clone(), body, Time(0));
        let message = Message { nonce: Some("n-1".try_into().unwrap()), ..message };
        let id = sender.id;
        let entry = Entry { partition: 0, position: 7, event: Event::NewMessage { sender, message: Box::new(message) } };
        let mut frames = Frames::new(&entry, "1.0.7".into());
        let own = frames.of(id).unwrap().as_str().to_owned();
        let other = frames.of(UserId::new()).unwrap().as_str().to_owned();
        assert!(own.contains("\"nonce\":\"n-1\"") && own.contains("\"cursor\":\"1.0.7\""), "{own}");
        assert!(!other.contains("nonce") && other.starts_with("2[\"new message\",{"), "{other}");
    }
}
