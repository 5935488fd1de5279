//! The server under test: where it is, what it speaks, what it costs.

mod launch;
mod machine;
mod nats;
mod postgres;
mod process;
mod reach;
mod tokens;
mod usage;

pub use launch::{Launch, PEERS, Server, prepare};
pub use machine::{describe, on_all_cores, open_files, pin_self, raise_open_files};
pub use nats::Nats;
pub use postgres::Postgres;
pub use process::free_port;
pub use reach::{Dialect, Target};
pub use tokens::{SECRET, Tokens};
pub use usage::{Usage, own_usage, usage};
