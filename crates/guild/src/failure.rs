//! A command that failed.

use std::fmt::Display;

use crate::exit;
use crate::settings::Problems;
use crate::start_error::StartError;

/// Why a command did not do what it was told: a line for the operator, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The line.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// It could not do it.
    pub fn new(text: impl Display) -> Self {
        Self { text: text.to_string(), code: exit::FAILED }
    }

    /// It was told something wrong.
    pub fn wrong(text: impl Display) -> Self {
        Self { text: text.to_string(), code: exit::WRONG }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::wrong(format!("the settings are wrong, and nothing was started:\n{problems}"))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Service(error) => Self::wrong(error),
            StartError::Nats(error) => Self::wrong(error),
            other => Self::new(other),
        }
    }
}
