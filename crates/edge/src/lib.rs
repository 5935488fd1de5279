//! What every HTTP edge shares: who calls (a token becomes a `Caller`), what a call costs, how a request is read (JSON and query strings,
//! with the name of the field that is wrong), how a refusal is told (RFC 9457 problem+json), how an answer warns of what was ignored
//! (`Guild-Warnings`), the outer layer that every request passes (request id, Host, origins and CORS, body limit, access log, metrics), and
//! how long a connection may keep the server waiting. [`fetch`] is the way out: calls to addresses that users have named.
//!
//! Use it so: a handler takes [`Reads`], [`Changes`] or another of the extractors that say who calls and what the call costs, [`Json`] or
//! [`Query`] and [`Path`], asks the bus, and answers `Result<axum::Json<T>, Problem>`;
//! a service's `Refusal` becomes a [`Problem`] with `?`. The program wraps its whole router in [`outer()`] once.
//!
//! It may know contract, the bus and axum. It may not know what users, rooms or messages are beyond their ids and names, decides
//! nothing about who may do what (services do), and touches no database.

mod admission;
mod body;
mod buckets;
mod document;
mod errors_page;
pub mod fetch;
mod host;
mod ids;
mod incident;
mod open_rate;
mod origins;
mod outer;
mod peer;
mod problem;
mod read;
mod request_deadlines;
mod socket_slots;
mod unknown_fields;
mod warnings;
mod who;

pub use admission::{Admission, AdmissionSettings, Paid, PasswordTry, PasswordTurn, Price};
pub use buckets::Buckets;
pub use document::{Refuses, document};
pub use errors_page::errors_page;
pub use ids::{room_id, username};
pub use incident::{caught, incident};
pub use open_rate::OpenRate;
pub use origins::{AllowedOrigins, Origin};
pub use outer::{OuterSettings, outer};
pub use peer::{Network, Peer, TrustedProxies};
pub use problem::{Problem, ProblemBody};
pub use read::{Json, Path, Query, json_text, read_json, read_query, read_request, without_mark};
pub use request_deadlines::{DeadlineStream, RequestDeadlines, RequestTracker};
pub use socket_slots::{SocketSlot, SocketSlots};
pub use warnings::{Warnings, warnings_header};
pub use who::{Changes, Logins, Looks, Passwords, Reads, Sends, Token};
