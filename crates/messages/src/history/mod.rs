//! Reading messages: one (`one`), a page of one room (`of_room`, `around`), pages of several rooms in one call (`of_rooms`), and the newest messages of all of
//! the reader's rooms (`recent`).

mod around;
mod of_room;
mod of_rooms;
mod one;
mod pages;
mod recent;
