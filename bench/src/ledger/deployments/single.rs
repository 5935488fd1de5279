//! One process with everything, on SQLite.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use rusqlite::{Connection, OpenFlags};

use super::deployment::Deployment;
use super::instance::Instance;
use crate::ledger::disk::{Disk, Failure};
use crate::ledger::fault_events::FaultReporter;
use crate::ledger::plan::{Fault, Kind};
use crate::ledger::proxy::{Proxy, Routes};
use crate::target::{Launch, Target};

/// The process, its disk, and the proxy before it.
pub struct Single {
    server: Instance,
    proxy: Proxy,
    disk: Disk,
    database: PathBuf,
    launch: Launch,
}

/// Another process that wants the lock waits as long as this for it.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

impl Single {
    /// Starts it on a disk that can be told to fail.
    ///
    /// # Errors
    /// It does not start, there is no C compiler for the disk, the kernel gives no proxy.
    pub fn start(mut launch: Launch, seed: u64) -> Result<Self> {
        let database = launch.database();
        let disk = Disk::new(&launch.folder, &database)?;
        launch.settings.extend(disk.settings());
        let server = Instance::start(launch.clone())?;
        let proxy = Proxy::start(Routes::one(server.addr()), seed)?;
        Ok(Self { server, proxy, disk, database, launch })
    }

    fn break_disk(&self, how: Failure, lasts: Duration) -> Result<()> {
        self.disk.fail(how)?;
        std::thread::sleep(lasts);
        self.disk.mend(how);
        Ok(())
    }

    fn lock(&self, lasts: Duration) -> Result<()> {
        let other = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        other.busy_timeout(LOCK_PATIENCE)?;
        other.execute_batch("BEGIN IMMEDIATE")?;
        std::thread::sleep(lasts);
        other.execute_batch("ROLLBACK")?;
        Ok(())
    }
}

impl Deployment for Single {
    fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    fn target(&self) -> Target {
        self.server.server().target()
    }

    fn look(&self) -> Result<()> {
        if !self.disk.is_in_use() {
            bail!("the server does not run on the disk that can fail: is it linked statically, or LD_PRELOAD not allowed?");
        }
        Ok(())
    }

    fn carry_out(&self, fault: &Fault, told: &FaultReporter<'_>) -> Result<()> {
        let outcome = match fault.kind {
            Kind::Kill => return self.server.kill(fault.lasts, told),
            Kind::Stop => self.server.pause(fault.lasts),
            Kind::Stall => {
                self.proxy.stall(fault.share, fault.to_clients, fault.lasts);
                std::thread::sleep(fault.lasts);
                Ok(())
            }
            Kind::Cut => {
                self.proxy.cut(fault.share, fault.knife);
                Ok(())
            }
            Kind::Full => self.break_disk(Failure::Full, fault.lasts),
            Kind::SyncFails => self.break_disk(Failure::Sync, fault.lasts),
            Kind::Lock => self.lock(fault.lasts),
            other => bail!("one process on SQLite knows no {other:?}"),
        };
        told.ended();
        outcome
    }

    fn check(&self) -> Result<(bool, String)> {
        self.server.server().stop()?;
        self.launch.check()
    }
}
