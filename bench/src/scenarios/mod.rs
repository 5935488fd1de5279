//! What can be measured, a scenario each.

mod audience;
pub mod chat;
pub mod history;
pub mod idle;
pub mod jitter;
pub mod resume;
pub mod rooms;
pub mod search;
pub mod traffic;
