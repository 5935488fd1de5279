//! An event as the handler gets it.

use serde_json::value::RawValue;

/// An event that a client sent.
#[derive(Debug)]
pub struct Incoming {
    /// The event's name; never one of the six that Socket.IO reserves (`connect`, `disconnect`, …).
    pub name: String,
    /// The arguments after the name, each as JSON text that is well formed but otherwise unchecked; at most 255.
    pub args: Vec<Box<RawValue>>,
    /// Given if the client waits for an acknowledgement: hand it to [`Conn::ack`](crate::Conn::ack).
    pub ack: Option<Ack>,
    /// Whether the event had binary attachments. They have been thrown away, and placeholders stand for them in `args`.
    pub binary: bool,
}

/// The right to acknowledge one event, once.
#[derive(Debug, PartialEq, Eq)]
pub struct Ack(pub(crate) u64);
