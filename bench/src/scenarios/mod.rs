//! What can be measured, a scenario each.

mod assembly;
mod audience;
pub mod changes;
pub mod chat;
pub mod history;
pub mod idle;
pub mod jitter;
mod meter;
pub mod resume;
pub mod rooms;
pub mod search;
pub mod traffic;
