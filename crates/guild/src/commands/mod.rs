//! The commands beside `serve`. Each is one file: what it does, and what it prints.

mod check;
mod copy;
mod copy_progress;
mod epoch;
mod output;
mod settings;
mod upgrade;
mod user;

pub use check::check;
pub use copy::copy;
pub use epoch::new_epoch;
pub use settings::settings;
pub use upgrade::finish_upgrade;
pub use user::user;
