//! What can happen, and to which servers.

use crate::random::Random;

/// The kinds of fault, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `kill -9` of the server, and a restart on the same database.
    Kill,
    /// SIGSTOP of the server, and SIGCONT a while later.
    Stop,
    /// Connections cut by the proxy.
    Cut,
    /// Connections through which the proxy passes nothing on for a while, in one direction.
    Stall,
    /// Every write to the database's files fails with ENOSPC.
    Full,
    /// Every sync of the database's files fails with EIO.
    SyncFails,
    /// Another process holds the database's write lock.
    Lock,
    /// `kill -9` of an instance of a service, and a restart.
    KillOf(Service),
    /// `kill -9` of NATS, and a restart.
    KillNats,
    /// `kill -9` of every process of PostgreSQL, and a restart.
    KillPostgres,
    /// SIGSTOP of an instance of a service, perhaps in the middle of a transaction, and SIGCONT.
    StopOf(Service),
    /// One instance's connection to NATS is reset, and every new one as well.
    NatsRefused,
    /// Nothing passes between one instance and NATS, and nobody is told.
    NatsSilent,
}

/// The services, as they run apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Accounts.
    Users,
    /// Rooms and the log.
    Messages,
    /// Live connections.
    Chat,
}

impl Service {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 3] = [Self::Users, Self::Messages, Self::Chat];

    /// As `run` of the settings has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Messages => "messages",
            Self::Chat => "chat",
        }
    }
}

/// What is drawn from for one topology of the service.
#[derive(Clone, Copy, Debug)]
pub struct Menu {
    /// The kinds that occur, in the order of the table.
    pub kinds: &'static [Kind],
    /// Faults that begin while another lasts, each at least once in a plan with room for it.
    pub into: &'static [(Kind, Kind)],
    /// What this is most about.
    pub kills: &'static [Kind],
}

/// One process on SQLite.
pub const SINGLE: Menu = Menu {
    kinds: &[Kind::Kill, Kind::Stop, Kind::Cut, Kind::Stall, Kind::Full, Kind::SyncFails, Kind::Lock],
    // A transaction whose sync failed is still in the write-ahead log when the server is killed; a stopped server dies stopped; one that
    // starts finds its disk full or its file locked; clients that are coming back are cut, or their server is killed, once more.
    into: &[
        (Kind::SyncFails, Kind::Kill),
        (Kind::Stop, Kind::Kill),
        (Kind::Full, Kind::Kill),
        (Kind::Lock, Kind::Kill),
        (Kind::Stop, Kind::Cut),
        (Kind::Kill, Kind::Kill),
        (Kind::Kill, Kind::Cut),
    ],
    kills: &[Kind::Kill],
};

const KILL_USERS: Kind = Kind::KillOf(Service::Users);
const KILL_MESSAGES: Kind = Kind::KillOf(Service::Messages);
const KILL_CHAT: Kind = Kind::KillOf(Service::Chat);
const STOP_MESSAGES: Kind = Kind::StopOf(Service::Messages);
const STOP_CHAT: Kind = Kind::StopOf(Service::Chat);

/// Services apart, two of each, over PostgreSQL and NATS.
pub const CLUSTER: Menu = Menu {
    kinds: &[
        KILL_USERS,
        KILL_MESSAGES,
        KILL_CHAT,
        Kind::KillNats,
        Kind::KillPostgres,
        STOP_CHAT,
        STOP_MESSAGES,
        Kind::NatsRefused,
        Kind::NatsSilent,
        Kind::Cut,
    ],
    // An instance finds no database or no NATS when it starts; the instance is killed that others wait for, or the one that is left;
    // clients come back while nothing can be asked; a gateway dies stopped, or misses hints that nobody sends again.
    into: &[
        (Kind::KillPostgres, KILL_MESSAGES),
        (Kind::KillPostgres, KILL_CHAT),
        (Kind::KillNats, KILL_MESSAGES),
        (Kind::KillNats, KILL_CHAT),
        (Kind::KillNats, Kind::KillPostgres),
        (KILL_MESSAGES, KILL_MESSAGES),
        (KILL_CHAT, KILL_CHAT),
        (KILL_USERS, KILL_CHAT),
        (STOP_CHAT, KILL_CHAT),
        (STOP_CHAT, KILL_MESSAGES),
        (STOP_MESSAGES, KILL_MESSAGES),
        (Kind::NatsSilent, KILL_CHAT),
        (Kind::NatsSilent, KILL_MESSAGES),
        (Kind::NatsRefused, Kind::Cut),
    ],
    kills: &[KILL_USERS, KILL_MESSAGES, KILL_CHAT, Kind::KillNats, Kind::KillPostgres],
};

impl Kind {
    /// What the table calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 of the server, restart",
            Self::Stop => "server stopped (SIGSTOP), continued",
            Self::Cut => "connections cut (reset, closed, mid-frame)",
            Self::Stall => "connections stalled in one direction",
            Self::Full => "disk full (ENOSPC)",
            Self::SyncFails => "syncs fail (EIO)",
            Self::Lock => "database locked by another process",
            Self::KillOf(Service::Users) => "kill -9 of a users instance, restart",
            Self::KillOf(Service::Messages) => "kill -9 of a messages instance, restart",
            Self::KillOf(Service::Chat) => "kill -9 of a chat instance, restart",
            Self::KillNats => "kill -9 of NATS, restart",
            Self::KillPostgres => "kill -9 of PostgreSQL, restart",
            Self::StopOf(Service::Users) => "users instance stopped (SIGSTOP), continued",
            Self::StopOf(Service::Messages) => "messages instance stopped (SIGSTOP), continued",
            Self::StopOf(Service::Chat) => "chat instance (gateway) stopped (SIGSTOP), continued",
            Self::NatsRefused => "NATS refuses one instance",
            Self::NatsSilent => "NATS and one instance hear nothing of each other",
        }
    }

    /// Whether it ends a process.
    pub fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::KillOf(_) | Self::KillNats | Self::KillPostgres)
    }

    /// Whether the next fault comes only once this one is over, restart and all; others may be met by the next one while they last.
    pub fn is_awaited(self) -> bool {
        matches!(self, Self::Kill | Self::Cut)
    }

    /// Whether there is more than one that it may hit.
    pub fn has_choice(self) -> bool {
        matches!(self, Self::KillOf(_) | Self::StopOf(_) | Self::NatsRefused | Self::NatsSilent)
    }

    /// How long it may last, in milliseconds. For a kill: how long the server stays away. A lock of more than five seconds is longer
    /// than the server's patience, so sends are refused as `busy`; so is what is silent for that long.
    pub(super) fn lasts(self, random: &mut Random) -> usize {
        match self {
            Self::Kill | Self::KillOf(_) | Self::KillNats | Self::KillPostgres if random.percent(50) => 0,
            Self::Kill | Self::KillOf(_) | Self::KillNats | Self::KillPostgres => random.between(50, 1_500),
            Self::Cut => 0,
            Self::Stop | Self::StopOf(_) => random.between(1_000, 4_000),
            Self::Stall => random.between(500, 3_000),
            Self::Full | Self::SyncFails => random.between(1_000, 3_500),
            Self::Lock | Self::NatsSilent if random.percent(25) => random.between(5_500, 6_500),
            Self::Lock | Self::NatsRefused | Self::NatsSilent => random.between(500, 3_000),
        }
    }
}
