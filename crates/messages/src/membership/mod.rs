//! Calls about members: join and leave a room, list its members, and move a read mark. `rooms_of` and `room_of` tell a gateway which
//! rooms a user is in; `memberships` reads that for many users in one transaction.

mod join;
mod join_many;
mod leave;
mod list_members;
mod list_reads;
mod mark_read;
mod members_of;
pub(crate) mod memberships;
mod must_be_member;
mod room_of;
mod rooms_of;
mod users_named;

pub(crate) use must_be_member::must_be_member;
