//! What a community of so many users asks of a cluster, and how many machines that takes.

use super::assumptions::Assumptions;
use super::constants::Constants;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

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
pub fn predict(users: f64, assumed: &Assumptions, constants: &Constants) -> Need {
    let core = 1e6 * assumed.busy;
    let node = core * assumed.cores;
    let connections = users * assumed.online * assumed.devices;
    let messages = users * assumed.messages_a_day / DAY * assumed.peak;
    let deliveries = messages * assumed.audience;
    let connects = connections * assumed.connects_an_hour / 3_600.0;

    let shared = messages * constants.gateway_send
        + deliveries * constants.gateway_delivery
        + connections * constants.gateway_idle
        + connects * constants.gateway_connect;
    let free = node - messages * constants.gateway_hint;
    let by_memory = connections * constants.connection_bytes / (assumed.memory * 1_073_741_824.0 * assumed.busy);
    let gateways = (free > 0.0).then(|| (shared / free).max(by_memory).ceil().max(assumed.spare));
    let nats_nodes = gateways.map(|gateways| {
        let wire = assumed.network * 1e9 / 8.0 * assumed.busy;
        let passing = messages * (2.0 + gateways);
        let by_cpu = passing * constants.nats_message / node;
        let by_wire = messages * gateways * constants.hint_bytes / wire;
        by_cpu.max(by_wire).ceil().max(3.0)
    });
    let messages_nodes = (messages * constants.messages_send / node).ceil().max(assumed.spare);
    let users_nodes = (connects * constants.users_connect / node).ceil().max(assumed.spare);
    let database_cores = (messages * constants.database_send / core).ceil();
    let partitions = (messages / (constants.partition_rate * assumed.busy)).ceil();
    let terabytes = users * assumed.messages_a_day * assumed.days * constants.row_bytes * assumed.copies / 1e12;
    // A primary holds a copy of its part.
    let by_disk = terabytes / assumed.copies / assumed.database_terabytes;
    let databases = (database_cores / assumed.database_cores).max(by_disk).ceil().max(1.0);
    let month = gateways.zip(nats_nodes).map(|(gateways, nats)| {
        let cores = (gateways + nats + messages_nodes + users_nodes) * assumed.cores
            + database_cores.max(assumed.cores * databases) * assumed.copies;
        cores * assumed.core_hour * HOURS + terabytes * 1_000.0 * assumed.gigabyte_month
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
    pub fn beyond(&self, assumed: &Assumptions, constants: &Constants) -> String {
        let mut beyond = Vec::new();
        if self.partitions > 4.0 {
            beyond.push(format!("{} partitions", self.partitions));
        }
        if self.databases > 1.0 {
            beyond.push(format!("{} primaries", self.databases));
        }
        match self.gateways {
            None => beyond.push("hints only where members are".to_owned()),
            Some(gateways) if self.messages * constants.gateway_hint > 0.5e6 * assumed.busy * assumed.cores => {
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
    use crate::scale::USUAL;

    fn constants() -> Constants {
        Constants::of_docs().unwrap()
    }

    #[test]
    fn more_users_need_more_of_everything() {
        let need = [1e6, 1e7, 1e8].map(|users| predict(users, &USUAL, &constants()));
        for pair in need.windows(2) {
            let (less, more) = (&pair[0], &pair[1]);
            assert!(more.connections > less.connections && more.messages > less.messages && more.terabytes > less.terabytes);
            assert!(more.database_cores >= less.database_cores && more.databases > less.databases && more.partitions > less.partitions);
            assert!(more.gateways.is_none_or(|more| less.gateways.is_some_and(|less| more > less)));
        }
    }

    #[test]
    fn the_sums_are_right() {
        let constants = constants();
        let assumed = Assumptions { online: 0.1, devices: 2.0, messages_a_day: 86.4, peak: 2.0, audience: 3.0, ..USUAL };
        let need = predict(1e6, &assumed, &constants);
        assert_eq!((need.connections, need.messages, need.deliveries), (200_000.0, 2_000.0, 6_000.0));
        // 2,000 messages of 52 µs are a tenth of a second of CPU.
        assert_eq!((need.database_cores, need.databases, need.partitions), (1.0, 1.0, 1.0));
        assert_eq!(need.beyond(&assumed, &constants), "nothing: as it is");
    }

    #[test]
    fn what_every_gateway_hears_ends_it() {
        let (assumed, constants) = (USUAL, constants());
        let messages = 1e6 * assumed.busy * assumed.cores / constants.gateway_hint;
        let users = messages / assumed.peak / assumed.messages_a_day * DAY;
        let below = predict(users * 0.9, &assumed, &constants);
        assert!(below.gateways.is_some() && below.beyond(&assumed, &constants).contains("hearing"));
        let past = predict(users * 1.1, &assumed, &constants);
        assert!(past.gateways.is_none() && past.month.is_none() && past.beyond(&assumed, &constants).contains("hints only"));
    }
}
