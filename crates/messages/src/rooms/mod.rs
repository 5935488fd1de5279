//! Calls about rooms: create, rename, get, and list them. `view` reads a room as one reader sees it; everything that shows a room uses it.

mod create;
mod get_room;
mod get_rooms;
mod list_channels;
mod my_rooms;
mod update;
pub(crate) mod view;
