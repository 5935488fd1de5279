//! What an operator can set: `guild.default.toml` holds the defaults, `guild.toml` lies over them, the environment over that, and flags
//! over everything. [`load`] reads and checks all of it before anything starts, and says everything that is wrong at once.
//!
//! Each concern has a small struct of its own; the rest of the program takes those and never asks for a setting by its name.

mod auth;
mod catalog;
mod handed;
mod layers;
mod limits;
mod log;
mod nats;
mod network;
mod origin;
mod problem;
mod reader;
mod services;
mod shown;
mod value;

#[cfg(test)]
mod tests;

pub use auth::Auth;
pub use catalog::{DEFAULTS, Setting, catalog, find};
pub use layers::{FILE, Given, Layered, Sources, layer};
pub use limits::Limits;
pub use log::{Format, Log};
pub use network::Network;
pub use origin::Origin;
pub use problem::{Problem, Problems};
pub use services::{Run, Services};
pub use shown::shown;
pub use value::{Kind, Value};

use reader::Reader;

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server listens, and whom it believes.
    pub network: Network,
    /// What is logged.
    pub log: Log,
    /// Which services run, and over what.
    pub services: Services,
    /// How users prove who they are.
    pub auth: Auth,
    /// How much one client may do.
    pub limits: Limits,
}

impl Settings {
    /// Gives the values their meaning, and checks each of them and what they mean together.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(layered: &Layered) -> Result<Self, Problems> {
        let mut reader = Reader::new(layered);
        let network = Network::read(&mut reader);
        let log = Log::read(&mut reader);
        let services = Services::read(&mut reader);
        let auth = Auth::read(&mut reader, network.as_ref().map(|network| network.listen));
        let limits = Limits::read(&mut reader);
        let settings = (|| Some(Self { network: network?, log: log?, services: services?, auth: auth?, limits: limits? }))();
        reader.finish(settings)
    }
}

/// Reads the settings from all their sources.
///
/// # Errors
/// Everything that is wrong.
pub fn load(sources: &Sources) -> Result<Settings, Problems> {
    Settings::check(&layer(sources)?)
}
