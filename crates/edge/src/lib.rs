//! What every HTTP edge of the house shares: who calls (a token becomes a `Caller`), how a request is read (JSON and query strings, with
//! the name of the field that is wrong), how a refusal is told (RFC 9457 problem+json), how often somebody may call, and the outer layer
//! that every request passes (request id, Host, origins and CORS, body limit, access log, metrics), and how long a connection may keep it
//! waiting. [`fetch`] is the way out: calls to addresses that somebody has named.
//!
//! Use it so: a handler takes [`Reads`], [`Changes`] or another of the extractors that say who calls and what the call costs, [`Json`] or
//! [`Query`] and [`Path`], asks the bus, and answers `Result<axum::Json<T>, Problem>`;
//! a service's `Refusal` becomes a [`Problem`] with `?`. The program wraps its whole router in [`outer()`] once.
//!
//! It may know contract, the bus and axum. It may not know what users, rooms or messages are beyond their ids and names, decides
//! nothing about who may do what (services do), and touches no database.

mod addresses;
mod admission;
mod body;
mod buckets;
mod document;
mod errors_page;
pub mod fetch;
mod host;
mod ids;
mod incident;
mod opens;
mod origins;
mod outer;
mod patience;
mod peer;
mod problem;
mod read;
mod who;

pub use addresses::{Addresses, Place};
pub use admission::{Admission, AdmissionSettings, Paid, PasswordTry, PasswordTurn, Price};
pub use buckets::Buckets;
pub use document::{Refuses, document};
pub use errors_page::errors_page;
pub use ids::{room_id, username};
pub use incident::{caught, incident};
pub use opens::Opens;
pub use origins::{AllowedOrigins, Origin};
pub use outer::{OuterSettings, outer};
pub use patience::{Line, Patience, Turns};
pub use peer::{Network, Peer, TrustedProxies};
pub use problem::{Problem, ProblemBody};
pub use read::{Json, Path, Query, json_text, read_json, read_query, without_mark};
pub use who::{Changes, Logins, Looks, Passwords, Reads, Sends, Token};
