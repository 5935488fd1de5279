//! Services apart: two processes of each, over a PostgreSQL and a NATS of their own. Each reaches NATS through a proxy of its own, so that
//! one alone can be cut off.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use super::deployment::Deployment;
use super::instance::Instance;
use crate::ledger::fault_events::FaultReporter;
use crate::ledger::plan::{Fault, Kind, Service};
use crate::ledger::proxy::{Proxy, Routes};
use crate::target::{Launch, Nats, Postgres, Target, free_port};

/// Instances of each service.
const EACH: usize = 2;

/// One process, and its way to NATS.
struct Member {
    service: Service,
    instance: Instance,
    to_nats: Proxy,
}

/// All of it.
pub struct Cluster {
    // In this order they end: the clients' way first, the database last.
    proxy: Proxy,
    members: Vec<Member>,
    nats: Mutex<Nats>,
    postgres: Mutex<Postgres>,
    launch: Launch,
    log: Target,
}

impl Cluster {
    /// Starts it; each process has a folder of its own below the launch's.
    ///
    /// # Errors
    /// PostgreSQL or NATS is not installed, something does not start, the kernel gives no proxy.
    pub fn start(launch: Launch, seed: u64) -> Result<Self> {
        // PostgreSQL may run as another user, who has to get at its own folder.
        std::fs::set_permissions(&launch.folder, std::fs::Permissions::from_mode(0o755))?;
        let postgres = Postgres::start(&launch.folder.join("postgres"), launch.pin)?;
        let nats = Nats::start(&launch.folder, launch.pin)?;
        let mut launch = launch;
        launch.settings.push(("GUILD_DATABASE_URL".to_owned(), postgres.url()));
        let mut members = Vec::new();
        for (service, number) in Service::ALL.into_iter().flat_map(|service| (0..EACH).map(move |number| (service, number))) {
            let to_nats = Proxy::start(Routes::one(nats.addr()), seed)?;
            let mut own = Launch { port: free_port()?, ..launch.clone() };
            own.folder = launch.folder.join(format!("{}{number}", service.name()));
            own.settings.push(("GUILD_RUN".to_owned(), service.name().to_owned()));
            own.settings.push(("GUILD_NATS_URL".to_owned(), format!("nats://{}", to_nats.addr)));
            members.push(Member { service, instance: Instance::start(own)?, to_nats });
        }
        let all_of =
            |service| members.iter().filter(move |member| member.service == service).map(|member| member.instance.addr()).collect();
        let proxy = Proxy::start(Routes::apart(all_of), seed)?;
        let log = members.iter().find(|member| member.service == Service::Messages).context("no instance of messages")?;
        let log = log.instance.server().target();
        Ok(Self { proxy, members, nats: Mutex::new(nats), postgres: Mutex::new(postgres), launch, log })
    }

    fn of(&self, service: Service, which: u64) -> Result<&Instance> {
        let mut all = self.members.iter().filter(|member| member.service == service);
        let place = usize::try_from(which % EACH as u64)?;
        all.nth(place).map(|member| &member.instance).context("no such instance")
    }

    fn any(&self, which: u64) -> Result<&Member> {
        let place = usize::try_from(which % self.members.len().max(1) as u64)?;
        self.members.get(place).context("no such instance")
    }
}

fn taken<T>(server: &Mutex<T>) -> MutexGuard<'_, T> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deployment for Cluster {
    fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    fn target(&self) -> Target {
        self.log.clone()
    }

    fn carry_out(&self, fault: &Fault, told: &FaultReporter<'_>) -> Result<()> {
        let lasts = fault.lasts;
        match fault.kind {
            Kind::KillOf(service) => return self.of(service, fault.which)?.kill(lasts, told),
            Kind::KillNats => {
                let mut nats = taken(&self.nats);
                nats.kill()?;
                std::thread::sleep(lasts);
                told.ended();
                return told.restart(|| nats.restart());
            }
            Kind::KillPostgres => {
                let mut postgres = taken(&self.postgres);
                postgres.kill()?;
                std::thread::sleep(lasts);
                told.ended();
                return told.restart(|| postgres.restart());
            }
            Kind::StopOf(service) => self.of(service, fault.which)?.pause(lasts)?,
            Kind::NatsRefused => {
                self.any(fault.which)?.to_nats.refuse(lasts);
                std::thread::sleep(lasts);
            }
            Kind::NatsSilent => {
                self.any(fault.which)?.to_nats.silence(lasts);
                std::thread::sleep(lasts);
            }
            Kind::Cut => self.proxy.cut(fault.share, fault.knife),
            other => bail!("a cluster knows no {other:?}"),
        }
        told.ended();
        Ok(())
    }

    fn check(&self) -> Result<(bool, String)> {
        // Chat first, so that clients are told.
        for member in self.members.iter().rev() {
            member.instance.server().stop()?;
        }
        let checked = self.launch.check();
        taken(&self.postgres).stop()?;
        checked
    }
}
