//! GraphQL for retrieval: a third thin edge over the calls that REST and Socket.IO ask too, with the same rights.
//!
//! `http` has the routes, `schema` what can be asked (its docs are the SDL's). `query_limits` refuses deep, wide and endless queries by their
//! text, before anything runs; `budget` bounds the bytes, which only running a query can tell; `operation_cost` is what operations cost.
//! `batch_loader`, `message_batch` and `user_batch` are why a list of rooms with the messages and senders of each costs a fixed number of calls. `socket` speaks
//! `graphql-transport-ws`, `feed` wakes subscriptions, and `gap_detector` tells it that a hint was lost.
//!
//! It may know contract, the bus, edge and websocket. It keeps nothing, decides nothing about who may do what, and knows no service but by
//! its calls.

mod answer;
mod batch_loader;
mod budget;
mod document;
mod escapes;
mod feed;
mod gap_detector;
pub mod http;
mod lexer;
mod limits;
mod message_batch;
mod once;
mod operation_cost;
mod page;
mod paging;
mod query_limits;
mod refuse;
mod request;
mod request_context;
mod schema;
mod settings;
mod shared_page;
mod socket;
#[cfg(test)]
mod testing;
mod user_batch;

pub use http::Graphql;
pub use limits::Limits;
pub use schema::sdl;
pub use settings::Settings;
