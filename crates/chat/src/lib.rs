//! Live connections: who is connected, what each of them hears, and what they ask for over Socket.IO.
//!
//! A client's event is read here and asked of the service that decides; what happened comes back through the log, in whose order it is
//! delivered. Read `on_message.rs` and then `deliver.rs` for that flow; `registry/` for who hears what; `resume.rs` for how a socket
//! gets what it missed, exactly once and in order; [`document()`] for what all of it looks like to a client.
//!
//! It may know contract, the bus, edge and socketio. It may not know how users or messages are kept: it asks them over the bus and
//! decides nothing about who may do what. It keeps nothing on disk; what it has in memory grows with connected users and their rooms.

mod admit;
mod chat;
mod client;
mod cut;
mod deliver;
mod document;
mod encode;
mod events;
mod found;
mod gateway;
mod handler;
mod hints;
mod line;
mod nobodies;
mod on_authenticate;
mod on_create_room;
mod on_join_room;
mod on_leave_room;
mod on_message;
mod on_read;
mod on_typing;
mod outbound;
mod presence;
mod registry;
mod resume;
mod revoked;
mod settings;
mod throttle;
mod under_way;

#[cfg(test)]
mod story;

pub use chat::Chat;
pub use document::document;
pub use settings::Settings;
