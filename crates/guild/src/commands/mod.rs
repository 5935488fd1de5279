//! The commands beside `serve`. Each is one file: what it does, and what it prints.

mod check;
mod copy;
mod copy_progress;
mod epoch;
mod settings;
mod upgrade;
mod user;

pub use check::check;
pub use copy::copy;
pub use epoch::new_epoch;
pub use settings::settings;
pub use upgrade::finish_upgrade;
pub use user::user;

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::run::Failure;

/// A line of what the command was asked for, on standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// It cannot be written: a full disk.
fn print(line: impl Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(format!("cannot write to standard output: {error}"))),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A line beside that, on standard error. A terminal that is gone is no reason to stop.
fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
