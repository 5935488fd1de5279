//! Accounts, tokens and presence: who is there, how they prove it, and who has live sockets.
//!
//! [`Users`] answers the calls of `contract::calls::users` (one file an operation), [`http::routes`] is the REST edge over them, and
//! [`admin`] is what `guild user …` does. What is stored is in `store/`; passwords are hashed in `hashing`; tokens of a host
//! application are read in `jwt/`, whose keys may come from an address that is fetched.
//!
//! It may know contract, the bus, edge and db. It may not know what a room or a message is: a request for a user's rooms is
//! passed on to the messages service by a call. Authorization is decided here, in the calls, not in the edge.
//!
//! Start it so: [`Users::new`], [`Users::start_check`], [`Users::serve`], [`Users::start`].

pub mod admin;
mod authenticate;
mod authenticate_open;
mod cache;
mod change_password;
pub mod copy;
mod directory;
mod hashing;
pub mod http;
mod jwt;
mod log_in;
mod log_out;
mod lookup;
mod online;
mod passed_on;
mod presence;
mod presence_writer;
mod profile;
mod service;
mod settings;
mod store;
mod sweep;
mod tasks;
#[cfg(test)]
mod tests;
mod token;
mod watch;
mod which_ended;

pub use service::Users;
pub use settings::{CannotStart, HashingSettings, JwtSettings, Mode, Registration, Settings};
pub use store::MIGRATIONS;
