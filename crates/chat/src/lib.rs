//! Live connections: who is connected, which events each socket gets, and what clients ask for over Socket.IO.
//!
//! A client's event is read here and passed to the service that decides. What happened comes back through the log and is delivered in its
//! order. Read `on_message.rs` and then `delivery.rs` for that flow; `registry/` for who gets what; `resume.rs` for how a socket gets what
//! it missed, exactly once and in order; [`document()`] for what all of it looks like to a client. An event takes this way through the
//! files: `transport_handler`, `handshake` until the user is authenticated, `dispatch`, the event's `on_….rs`.
//!
//! It may know contract, the bus, edge and socketio. It may not know how users or messages are kept: it asks them over the bus and
//! decides nothing about who may do what. It keeps nothing on disk; its memory grows with connected users and their rooms.

mod authenticated_user;
mod authentication;
mod authentication_deadlines;
mod chat;
mod client_cursor;
mod connection;
mod connection_state;
mod cut;
mod delivery;
mod dispatch;
mod document;
mod encode;
mod event;
mod gateway;
mod handshake;
mod hints;
mod in_flight;
mod membership_cache;
mod on_authenticate;
mod on_create_room;
mod on_delete_message;
mod on_edit_message;
mod on_join_room;
mod on_leave_room;
mod on_message;
mod on_pin_message;
mod on_react;
mod on_read;
mod on_typing;
mod own_state;
mod presence;
mod registry;
mod reorder_buffer;
mod resume;
mod revocations;
mod revoked;
mod settings;
mod start;
mod sweep;
mod transport;
mod transport_handler;
mod typing_throttle;

#[cfg(test)]
mod story;

pub use chat::Chat;
pub use document::document;
pub use settings::Settings;
