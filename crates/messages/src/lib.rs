//! Rooms, their members, the log of what happened in them, and how to read it.
//!
//! Each room is a log. Every change of a room is an operation of the writer (`writer`). The writer decides it (membership, nonce, seq)
//! inside the transaction that writes it, and answers after the commit. Then `send::publish` sends a hint, which may be lost: a gateway
//! that missed one reads the log (`replay`). So correctness rests on the database alone.
//!
//! Each call has a file of its own, in the folder of its subject: `rooms`, `membership`, `send`, `amend`, `history`, `replay`, `search`, `state`. `access`
//! says who may do what. `store` holds every statement, [`http`] every route.
//!
//! This crate may not know about live connections. It stores ids, never usernames, and asks the users service for names over the bus.

mod access;
mod amend;
mod check;
pub mod copy;
mod extra;
mod history;
pub mod http;
mod log_version;
mod membership;
mod mentions;
mod names;
mod partitions;
mod replay;
mod request;
mod resolve;
mod rooms;
mod search;
mod send;
mod service;
mod settings;
mod state;
mod store;
mod threads;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{Report, check};
pub use log_version::{CannotServe, LOG_VERSION, finish_upgrade};
pub use partitions::Partitions;
pub use service::Messages;
pub use settings::Settings;
pub use store::migrations::MIGRATIONS;
