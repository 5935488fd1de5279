//! What a command prints.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::failure::Failure;

/// A line of what the command was asked for, on standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// It cannot be written: a full disk.
pub(super) fn print(line: impl Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(format!("cannot write to standard output: {error}"))),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A line beside that, on standard error. A terminal that is gone is no reason to stop.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
