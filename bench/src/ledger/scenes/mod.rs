//! What faults are done to: a shape of the service, with the way to it and everything that can fail about it.

mod alone;
mod cluster;
mod instance;

use anyhow::Result;

use super::faults::Teller;
use super::plan::Fault;
use super::proxy::Proxy;
use crate::target::Target;

pub use alone::Alone;
pub use cluster::Cluster;

/// One shape.
pub trait Scene: Send + Sync + 'static {
    /// The way of the clients to it.
    fn proxy(&self) -> &Proxy;

    /// Whoever has the log, to be asked without the proxy.
    fn target(&self) -> Target;

    /// Says no where some fault would be none; asked once the service has been at work.
    ///
    /// # Errors
    /// Which, and why.
    fn look(&self) -> Result<()> {
        Ok(())
    }

    /// Does it, tells when it is over, and returns when what was killed serves again.
    ///
    /// # Errors
    /// It could not be done, something does not start any more.
    fn carry_out(&self, fault: &Fault, told: &Teller<'_>) -> Result<()>;

    /// Stops everything and has `guild check` look at the database: whether all promises are kept, and what it printed.
    ///
    /// # Errors
    /// The kernel refuses, the program cannot be run.
    fn check(&self) -> Result<(bool, String)>;
}
