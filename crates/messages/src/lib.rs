//! Rooms, who is in them, the log of what happened in them, and its retrieval.
//!
//! Each room is a log. Whatever changes a room is an operation of the one writer (`writer`), which decides it (membership, nonce,
//! seq) inside the transaction that writes it; the answer is the commit. Afterwards a hint goes out (`publish`), which may be lost;
//! whoever missed something reads the log (`read_missed`, `read_log`). So correctness rests on the database alone.
//!
//! One file per operation; `access` is who may do what; `store` is every statement; [`http`] is every route.
//!
//! It may not know about live connections, and asks the users service for names through the bus. It keeps ids, never usernames.

mod access;
mod check;
pub mod copy;
mod create_room;
mod get_room;
mod get_rooms;
mod heads;
mod histories;
mod history;
pub mod http;
mod join;
mod leave;
mod list_channels;
mod list_members;
mod log_version;
mod mark_read;
mod members_of;
mod merge;
mod my_rooms;
mod names;
mod partitions;
mod publish;
mod read_log;
mod read_missed;
mod recent;
mod rename_room;
mod resolve;
mod room_of;
mod rooms_of;
mod search;
mod send;
mod service;
mod settings;
mod store;
mod token;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{Report, check};
pub use log_version::{CannotServe, LOG_VERSION, finish_upgrade};
pub use partitions::Partitions;
pub use service::Messages;
pub use settings::Settings;
pub use store::migrations::MIGRATIONS;
