//! What can be measured, a scenario each.

pub mod amended;
mod assembly;
mod audience;
pub mod changes;
pub mod chat;
pub mod events;
pub mod history;
pub mod idle;
pub mod jitter;
mod meter;
mod pages;
pub mod resume;
pub mod rooms;
pub mod search;
pub mod traffic;
pub mod unread;
