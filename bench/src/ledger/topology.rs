//! The shapes of the service that faults are done to: what may happen to each, and what the tables say about it.

use super::document::{self, Marks};
use super::plan::{self, Kind, Menu};

/// A topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One process on SQLite.
    Single,
    /// Two processes of each service, over PostgreSQL and NATS.
    Cluster,
}

impl Topology {
    /// What may happen.
    pub fn menu(self) -> &'static Menu {
        match self {
            Self::Single => &plan::SINGLE,
            Self::Cluster => &plan::CLUSTER,
        }
    }

    /// Where a document has its tables.
    pub fn marks(self) -> Marks {
        match self {
            Self::Single => document::SINGLE,
            Self::Cluster => document::CLUSTER,
        }
    }

    /// The kinds of fault that sends must be refused under, or the fault was none.
    pub fn noticed(self) -> &'static [Kind] {
        match self {
            Self::Single => &[Kind::Full, Kind::SyncFails],
            Self::Cluster => &[Kind::KillPostgres],
        }
    }

    /// The short run's seed, seconds from one fault to the next, and kills.
    pub fn short(self) -> (u64, f64, usize) {
        match self {
            Self::Single => (46, 1.5, 3),
            Self::Cluster => (1, 1.5, 6),
        }
    }

    /// What a reader of the table of faults must know.
    pub fn about_faults(self) -> &'static str {
        match self {
            Self::Single => {
                "A kill lasts as long as the server stays away before it is started again; all times are from the end of a fault, also where \
                 another one began meanwhile. The disk fails through a shim (acceptance/shim/disk.c) that is preloaded into the server, for the \
                 database's files only. The lock is `BEGIN IMMEDIATE` in another process; the server waits 5 s for it."
            }
            Self::Cluster => {
                "Two processes each of users, messages and chat, PostgreSQL (`fsync` on) and NATS, all on one core. A kill lasts as long as what was \
                 killed stays away before it is started again; all times are from the end of a fault, also where another one began meanwhile. The \
                 first acknowledgement is anybody's, so it shows how long nobody was served; everybody back means that no client is without a \
                 connection. Each process reaches NATS through a proxy of its own, which refuses it, or falls silent."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::plan::{Fault, Until, length, plan};

    fn short(topology: Topology) -> Vec<Fault> {
        let (seed, every, kills) = topology.short();
        plan(seed, Duration::from_secs_f64(every), Until::Kills(kills), topology.menu())
    }

    #[test]
    fn the_short_run_is_short_and_kills_a_server_whose_syncs_fail() {
        let plan = short(Topology::Single);
        assert!(length(&plan) < Duration::from_secs(30));
        assert_eq!(plan.iter().filter(|fault| fault.kind == Kind::Kill).count(), 3);
        let meets = |pair: &[Fault]| pair[0].kind == Kind::SyncFails && pair[1].kind == Kind::Kill && pair[1].into_last.is_some();
        assert!(plan.windows(2).any(meets), "{plan:?}");
    }

    #[test]
    fn the_short_run_of_a_cluster_is_short_and_kills_an_instance_while_another_fault_lasts() {
        let plan = short(Topology::Cluster);
        assert!(length(&plan) < Duration::from_secs(30), "{:?}", length(&plan));
        assert!(plan.iter().any(|fault| fault.into_last.is_some() && matches!(fault.kind, Kind::KillOf(_))), "{plan:?}");
    }
}
