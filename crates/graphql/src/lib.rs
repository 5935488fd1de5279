//! GraphQL for retrieval: a third thin edge over the calls that REST and Socket.IO ask too, so with the same rights.
//!
//! `http` has the routes, `schema` what can be asked (its docs are the SDL's). A query passes `gate` before anything is looked at:
//! deep, wide and endless ones are refused by what they say, not by what they cost; what only running it can tell, how long its messages
//! are, is bounded by `budget`. `groups` is why a list of rooms with the messages
//! and senders of each costs a fixed number of calls. `charge` is what operations cost. `socket` speaks `graphql-transport-ws`, and `feed` is what
//! `newMessage` hears; `positions` tells it that a hint was lost.
//!
//! It may know contract, the bus and edge. It keeps nothing, decides nothing about who may do what, and knows no service but by its
//! calls.

mod answer;
mod ask;
mod budget;
mod charge;
mod document;
mod escapes;
mod feed;
mod gate;
mod groups;
pub mod http;
mod limits;
mod page;
mod positions;
mod refuse;
mod request;
mod schema;
mod socket;
#[cfg(test)]
mod testing;

pub use http::{Graphql, Settings};
pub use limits::Limits;
pub use schema::sdl;
