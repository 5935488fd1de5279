//! Changing messages that are there: editing, deleting, reacting, pinning. Each change is a row of the log about its message, and the message's
//! new state is written in the same transaction (`store::state`). What changes nothing appends nothing and tells nobody, so each call may be
//! repeated.
//!
//! In a room of more than 1,000 members a change of reactions is no row of its own: it is on disk with the message's state, and [`tell`] appends
//! one row for all changes of a message within a second.

mod delete;
mod delete_many;
mod edit;
mod pin;
mod pins;
mod pins_of;
mod react;
mod reactors;
mod target;
mod tell;
mod versions;

pub(crate) use target::{no_message, read_target};
