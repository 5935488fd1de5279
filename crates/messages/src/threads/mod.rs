//! Threads: one level of messages under a message of a room. A message in a thread is an ordinary message with a seq of its room. It stands among the
//! room's messages only if its sender said so (`also_in_room`).

mod follow;
mod mark_read;
mod of_member;
mod of_room;
mod of_rooms;
mod replies_of;
mod reply;
mod root;
mod view;

pub(crate) use reply::{Opened, open, was_deleted, wrote};
pub(crate) use root::{last_of, must_be_root};
