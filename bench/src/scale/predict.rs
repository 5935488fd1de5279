//! What a community of so many users asks of a cluster, and how many machines that takes.

use super::Args;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What was measured on one core of the machine of docs/performance.md. docs/scaling.md says by which command each.
#[derive(Clone, Debug, PartialEq)]
pub struct Constants {
    /// Gateway: CPU of a message that comes in and is acknowledged, in µs.
    pub gateway_send: f64,
    /// Gateway: CPU of a message that is written to one connection, in µs.
    pub gateway_delivery: f64,
    /// Gateway: CPU of hearing that a message was committed, wherever its members are, in µs. Every gateway hears every message.
    pub gateway_hint: f64,
    /// Gateway: CPU of a connection that does nothing (heartbeats), in µs a second.
    pub gateway_idle: f64,
    /// Gateway: CPU of a connection that comes, in µs.
    pub gateway_connect: f64,
    /// Gateway: memory of a connection, in bytes.
    pub connection_bytes: f64,
    /// Messages service: CPU of a message, in µs.
    pub messages_send: f64,
    /// Users service: CPU of a connection that comes, in µs.
    pub users_connect: f64,
    /// PostgreSQL: CPU of a message, in µs.
    pub database_send: f64,
    /// NATS: CPU of a message on its way through it, in µs; a hint counts once for each gateway that hears it.
    pub nats_message: f64,
    /// Messages that one partition of the log takes a second: four of them shared one core.
    pub partition_rate: f64,
    /// A message in the log with its indexes, in bytes on disk.
    pub row_bytes: f64,
    /// A message in a hint, in bytes on the wire.
    pub hint_bytes: f64,
}

/// See [`Constants`].
pub const MEASURED: Constants = Constants {
    gateway_send: 11.0,
    gateway_delivery: 7.0,
    gateway_hint: 3.0,
    gateway_idle: 2.0,
    gateway_connect: 280.0,
    connection_bytes: 36_000.0,
    messages_send: 28.0,
    users_connect: 100.0,
    database_send: 52.0,
    nats_message: 2.0,
    partition_rate: 3_500.0,
    row_bytes: 420.0,
    hint_bytes: 450.0,
};

/// What is needed at the daily peak.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// Users.
    pub users: f64,
    /// Connections that are open.
    pub connections: f64,
    /// Messages a second.
    pub messages: f64,
    /// Messages written to connections a second.
    pub deliveries: f64,
    /// Machines of gateways; `None` where no number is enough, because each would be busy with what it hears alone.
    pub gateways: Option<f64>,
    /// Machines of the messages service.
    pub messages_nodes: f64,
    /// Machines of the users service.
    pub users_nodes: f64,
    /// Machines of NATS, at least three.
    pub nats_nodes: Option<f64>,
    /// Cores of PostgreSQL's primaries.
    pub database_cores: f64,
    /// Primaries.
    pub databases: f64,
    /// Partitions of the log.
    pub partitions: f64,
    /// Terabytes on disk, all copies.
    pub terabytes: f64,
    /// What it costs a month; `None` where no number of machines is enough.
    pub month: Option<f64>,
}

/// Hours of a month.
const HOURS: f64 = 730.0;

/// Predicts.
pub fn predict(users: f64, args: &Args, constants: &Constants) -> Need {
    let core = 1e6 * args.busy;
    let node = core * args.cores;
    let connections = users * args.online * args.devices;
    let messages = users * args.messages_a_day / DAY * args.peak;
    let deliveries = messages * args.audience;
    let connects = connections * args.connects_an_hour / 3_600.0;

    let shared = messages * constants.gateway_send
        + deliveries * constants.gateway_delivery
        + connections * constants.gateway_idle
        + connects * constants.gateway_connect;
    let free = node - messages * constants.gateway_hint;
    let by_memory = connections * constants.connection_bytes / (args.memory * 1_073_741_824.0 * args.busy);
    let gateways = (free > 0.0).then(|| (shared / free).max(by_memory).ceil().max(args.spare));
    let nats_nodes = gateways.map(|gateways| {
        let wire = args.network * 1e9 / 8.0 * args.busy;
        let passing = messages * (2.0 + gateways);
        let by_cpu = passing * constants.nats_message / node;
        let by_wire = messages * gateways * constants.hint_bytes / wire;
        by_cpu.max(by_wire).ceil().max(3.0)
    });
    let messages_nodes = (messages * constants.messages_send / node).ceil().max(args.spare);
    let users_nodes = (connects * constants.users_connect / node).ceil().max(args.spare);
    let database_cores = (messages * constants.database_send / core).ceil();
    let partitions = (messages / (constants.partition_rate * args.busy)).ceil();
    let terabytes = users * args.messages_a_day * args.days * constants.row_bytes * args.copies / 1e12;
    // A primary holds a copy of its part.
    let by_disk = terabytes / args.copies / args.database_terabytes;
    let databases = (database_cores / args.database_cores).max(by_disk).ceil().max(1.0);
    let month = gateways.zip(nats_nodes).map(|(gateways, nats)| {
        let cores =
            (gateways + nats + messages_nodes + users_nodes) * args.cores + database_cores.max(args.cores * databases) * args.copies;
        cores * args.core_hour * HOURS + terabytes * 1_000.0 * args.gigabyte_month
    });
    Need {
        users,
        connections,
        messages,
        deliveries,
        gateways,
        messages_nodes,
        users_nodes,
        nats_nodes,
        database_cores,
        databases,
        partitions,
        terabytes,
        month,
    }
}

impl Need {
    /// What has to be built or bought before so many users can come: today's program has one database of four partitions, and each
    /// gateway hears every message.
    pub fn beyond(&self, args: &Args) -> String {
        let mut beyond = Vec::new();
        if self.partitions > 4.0 {
            beyond.push(format!("{} partitions", self.partitions));
        }
        if self.databases > 1.0 {
            beyond.push(format!("{} primaries", self.databases));
        }
        match self.gateways {
            None => beyond.push("hints only where members are".to_owned()),
            Some(gateways) if self.messages * MEASURED.gateway_hint > 0.5e6 * args.busy * args.cores => {
                beyond.push(format!("more than half of each of {gateways} gateways is hearing"));
            }
            Some(_) => {}
        }
        if beyond.is_empty() { "nothing: as it is".to_owned() } else { beyond.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Line::parse_from(std::iter::once(&"scale").chain(words)).args
    }

    #[test]
    fn more_users_need_more_of_everything() {
        let args = args(&[]);
        let need: Vec<_> = args.users.iter().map(|users| predict(*users, &args, &MEASURED)).collect();
        for pair in need.windows(2) {
            let (less, more) = (&pair[0], &pair[1]);
            assert!(more.connections > less.connections && more.messages > less.messages && more.terabytes > less.terabytes);
            assert!(more.database_cores >= less.database_cores && more.databases > less.databases && more.partitions > less.partitions);
            assert!(more.gateways.is_none_or(|more| less.gateways.is_some_and(|less| more > less)));
        }
    }

    #[test]
    fn the_sums_are_right() {
        let args = args(&["--online", "0.1", "--devices", "2", "--messages-a-day", "86.4", "--peak", "2", "--audience", "3"]);
        let need = predict(1e6, &args, &MEASURED);
        assert_eq!((need.connections, need.messages, need.deliveries), (200_000.0, 2_000.0, 6_000.0));
        // 2,000 messages of 52 µs are a tenth of a second of CPU.
        assert_eq!((need.database_cores, need.databases, need.partitions), (1.0, 1.0, 1.0));
        assert_eq!(need.beyond(&args), "nothing: as it is");
    }

    #[test]
    fn what_every_gateway_hears_ends_it() {
        let args = args(&[]);
        let messages = 1e6 * args.busy * args.cores / MEASURED.gateway_hint;
        let users = messages / args.peak / args.messages_a_day * DAY;
        let below = predict(users * 0.9, &args, &MEASURED);
        assert!(below.gateways.is_some() && below.beyond(&args).contains("hearing"));
        let past = predict(users * 1.1, &args, &MEASURED);
        assert!(past.gateways.is_none() && past.month.is_none() && past.beyond(&args).contains("hints only"));
    }
}
