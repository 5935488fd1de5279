//! The program: settings, command line, the assembly of the services, documents, the page, and a graceful end.
//!
//! It is the only crate that knows every other one, and [`assemble`] the only file in it that knows which service is in this process.
//! It may not know how a user, a room or a message works: what a request means is decided in `users`, `messages` and `chat`, and
//! nothing here reads or writes a table.
//!
//! Reading order: [`run`] (from arguments to exit code), [`cli`] (the arguments), [`settings`] (what can be set), [`assemble`] (the services
//! that run here), [`serve`] (a server from its start to its end), [`listen`] (its connections), [`vitals`] (the tasks that must not end
//! before it), [`shutdown`] (the signals that end it). [`http`] is what the program itself answers: probes, metrics, documents and pages;
//! [`commands`] is everything that is not a server.

pub mod assemble;
pub mod cli;
pub mod commands;
pub mod exit;
pub mod failure;
pub mod http;
pub mod listen;
pub mod logging;
pub mod metering;
pub mod run;
pub mod serve;
pub mod settings;
pub mod shutdown;
pub mod start_error;
pub mod vitals;
