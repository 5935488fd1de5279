//! A user's own state: a small store that follows the user over all devices. It is state and not history: a value is changed by the writer of one
//! partition, in its transaction, and stamped with that partition's last position. So whoever resumes gets what is stamped at the cursor's positions
//! or later (`since`).
//!
//! A change by the user goes to the writer that the user's id chooses. One that comes with a send goes with the send, to the writer of the room;
//! it only removes. So one writer alone creates rows, and counts them.
//!
//! A gateway is told whose value has changed under which key, and reads the value (`now`). Two partitions may change the same value, and be heard
//! of in any order; what is told is the newest all the same. `keys_after` finds what a gateway has not heard of.

mod forget;
mod get;
mod keys_after;
mod list;
mod now;
mod put;
mod remove;
mod since;

pub(crate) use remove::remove;
