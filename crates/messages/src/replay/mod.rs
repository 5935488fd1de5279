//! Reading the log after a position. `read_missed` finds what a user has missed since a cursor; `merge` puts the partitions into one
//! order. `read_log` serves a gateway that has lost hints. `room_events` follows one room. `heads` tells where the log and each room end.

mod heads;
mod merge;
mod read_log;
mod read_missed;
mod room_events;
