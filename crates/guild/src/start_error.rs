//! Why a server did not start.

use std::fmt;
use std::net::SocketAddr;

use bus::CannotConnect;
use db::OpenError;
use users::CannotStart;

/// One line for an operator.
#[derive(Debug)]
pub enum StartError {
    /// The database cannot be used.
    Database(OpenError),
    /// NATS cannot even be looked for.
    Nats(CannotConnect),
    /// A service refuses its settings, or this database with them.
    Service(CannotStart),
    /// The log is of a newer version than this program.
    Log(messages::CannotServe),
    /// Nothing can listen there.
    Listen(SocketAddr, std::io::Error),
    /// Numbers cannot be counted.
    Metrics(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Database(error) => error.fmt(f),
            StartError::Nats(error) => error.fmt(f),
            StartError::Service(error) => error.fmt(f),
            StartError::Log(error) => error.fmt(f),
            StartError::Listen(address, error) => {
                write!(f, "cannot listen on {address} ({error}): is another server there? listen says where this one should")
            }
            StartError::Metrics(why) => write!(f, "the metrics cannot be started: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Database(error)
    }
}

impl From<CannotConnect> for StartError {
    fn from(error: CannotConnect) -> Self {
        Self::Nats(error)
    }
}

impl From<CannotStart> for StartError {
    fn from(error: CannotStart) -> Self {
        Self::Service(error)
    }
}
