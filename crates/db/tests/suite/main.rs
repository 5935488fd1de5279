//! The database's tests: `face` over every engine, `sqlite` for what only a file can meet.
#![cfg(test)]

mod face;
mod postgres;
mod sqlite;
#[path = "../support/mod.rs"]
mod support;
