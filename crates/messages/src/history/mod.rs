//! Reading messages: a page of one room (`of_room`), pages of several rooms in one call (`of_rooms`), and the newest messages of all of
//! the reader's rooms (`recent`).

mod of_room;
mod of_rooms;
mod recent;
