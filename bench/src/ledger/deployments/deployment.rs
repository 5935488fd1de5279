//! What every topology can do.

use anyhow::Result;

use crate::ledger::fault_events::FaultReporter;
use crate::ledger::plan::Fault;
use crate::ledger::proxy::Proxy;
use crate::target::Target;

/// One topology.
pub trait Deployment: Send + Sync + 'static {
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
    fn carry_out(&self, fault: &Fault, told: &FaultReporter<'_>) -> Result<()>;

    /// Stops everything and has `guild check` look at the database: whether all promises are kept, and what it printed.
    ///
    /// # Errors
    /// The kernel refuses, the program cannot be run.
    fn check(&self) -> Result<(bool, String)>;
}
