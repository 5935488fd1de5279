//! `scale`: from what this machine measured to what a cluster for millions would need. Sums, no load: every assumption is a flag, and
//! every constant is printed beside the figures.

mod model;

use model::{Constants, MEASURED, Need, predict};

use crate::report::{Cell, Column, Table, column};
use crate::run::Found;

/// Of `scale`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Users, with commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1e6, 1e7, 1e8])]
    pub users: Vec<f64>,
    /// The part of them that is online at the peak.
    #[arg(long, default_value_t = 0.1)]
    pub online: f64,
    /// Connections of an online user.
    #[arg(long, default_value_t = 1.5)]
    pub devices: f64,
    /// How often a connection comes anew, an hour: mobile clients sleep.
    #[arg(long, default_value_t = 4.0)]
    pub connects_an_hour: f64,
    /// Messages of a user a day.
    #[arg(long, default_value_t = 20.0)]
    pub messages_a_day: f64,
    /// How many times the mean the peak is.
    #[arg(long, default_value_t = 3.0)]
    pub peak: f64,
    /// Connections that a message is written to.
    #[arg(long, default_value_t = 4.0)]
    pub audience: f64,
    /// Days for which messages are kept.
    #[arg(long, default_value_t = 365.0)]
    pub days: f64,
    /// Copies of the database.
    #[arg(long, default_value_t = 2.0)]
    pub copies: f64,
    /// Cores of a machine.
    #[arg(long, default_value_t = 8.0)]
    pub cores: f64,
    /// GiB of memory of a machine.
    #[arg(long, default_value_t = 32.0)]
    pub memory: f64,
    /// Gbit/s of a machine.
    #[arg(long, default_value_t = 10.0)]
    pub network: f64,
    /// Cores of the largest machine for PostgreSQL.
    #[arg(long, default_value_t = 64.0)]
    pub database_cores: f64,
    /// Terabytes that one machine for PostgreSQL may hold, so that a backup can be restored within a day.
    #[arg(long, default_value_t = 20.0)]
    pub database_terabytes: f64,
    /// How busy a machine may be.
    #[arg(long, default_value_t = 0.6)]
    pub busy: f64,
    /// Machines of each kind at the least, so that one may fail.
    #[arg(long, default_value_t = 2.0)]
    pub spare: f64,
    /// Price of a core for an hour.
    #[arg(long, default_value_t = 0.04)]
    pub core_hour: f64,
    /// Price of a gigabyte on disk for a month.
    #[arg(long, default_value_t = 0.1)]
    pub gigabyte_month: f64,
}

/// Does it.
///
/// # Errors
/// An assumption is no positive number.
pub fn command(args: &Args) -> anyhow::Result<Found> {
    for (name, value, _) in assumptions(args) {
        anyhow::ensure!(value.is_finite() && value > 0.0, "--{name} {value}: give a number above 0");
    }
    anyhow::ensure!(args.users.iter().all(|users| users.is_finite() && *users >= 1.0), "--users: give numbers from 1");
    let mut predicted = Table::new("What so many users need at the daily peak", &COLUMNS);
    for users in &args.users {
        predicted.rows.push(row(&predict(*users, args, &MEASURED), args));
    }
    let mut assumed = Table::new("Assumed", &[column("name", "flag"), column("value", "value"), column("meaning", "what it is")]);
    assumed.rows = assumptions(args).into_iter().map(|(name, value, meaning)| named(&format!("--{name}"), value, meaning)).collect();
    let mut measured = Table::new("Measured on one core", &[column("name", "what"), column("value", "value"), column("unit", "unit")]);
    measured.rows = constants(&MEASURED).into_iter().map(|(name, value, unit)| named(name, value, unit)).collect();
    Ok((vec![predicted, assumed, measured], true))
}

const COLUMNS: [Column; 14] = [
    column("users", "users"),
    column("connections", "connections"),
    column("messages_per_second", "messages/s"),
    column("deliveries_per_second", "deliveries/s"),
    column("gateways", "gateways"),
    column("messages_nodes", "messages"),
    column("users_nodes", "users"),
    column("nats_nodes", "NATS"),
    column("database_cores", "PostgreSQL cores"),
    column("databases", "primaries"),
    column("partitions", "partitions"),
    column("terabytes", "TB on disk"),
    column("month", "a month"),
    column("beyond", "beyond today's program"),
];

fn row(need: &Need, args: &Args) -> Vec<Cell> {
    let whole = |value: f64| Cell::Number(value, 0);
    let perhaps = |value: Option<f64>| value.map_or(Cell::Nothing, whole);
    vec![
        whole(need.users),
        whole(need.connections),
        whole(need.messages),
        whole(need.deliveries),
        perhaps(need.gateways),
        whole(need.messages_nodes),
        whole(need.users_nodes),
        perhaps(need.nats_nodes),
        whole(need.database_cores),
        whole(need.databases),
        whole(need.partitions),
        Cell::number(need.terabytes),
        perhaps(need.month),
        Cell::Text(need.beyond(args)),
    ]
}

fn named(name: &str, value: f64, meaning: &str) -> Vec<Cell> {
    vec![name.into(), Cell::Number(value, usize::from(value.fract() != 0.0) * 2), meaning.into()]
}

fn assumptions(args: &Args) -> Vec<(&'static str, f64, &'static str)> {
    vec![
        ("online", args.online, "part of the users online at the peak"),
        ("devices", args.devices, "connections of an online user"),
        ("connects-an-hour", args.connects_an_hour, "times an hour that a connection comes anew"),
        ("messages-a-day", args.messages_a_day, "messages of a user a day"),
        ("peak", args.peak, "times the mean"),
        ("audience", args.audience, "connections that a message is written to"),
        ("days", args.days, "days for which messages are kept"),
        ("copies", args.copies, "copies of the database"),
        ("cores", args.cores, "cores of a machine"),
        ("memory", args.memory, "GiB of a machine"),
        ("network", args.network, "Gbit/s of a machine"),
        ("database-cores", args.database_cores, "cores of the largest machine for PostgreSQL"),
        ("database-terabytes", args.database_terabytes, "terabytes that one machine for PostgreSQL may hold"),
        ("busy", args.busy, "how busy a machine may be"),
        ("spare", args.spare, "machines of each kind at the least"),
        ("core-hour", args.core_hour, "price of a core for an hour"),
        ("gigabyte-month", args.gigabyte_month, "price of a gigabyte on disk for a month"),
    ]
}

fn constants(of: &Constants) -> Vec<(&'static str, f64, &'static str)> {
    vec![
        ("gateway, a message in", of.gateway_send, "µs of CPU"),
        ("gateway, a message out to one connection", of.gateway_delivery, "µs of CPU"),
        ("gateway, a message heard of", of.gateway_hint, "µs of CPU"),
        ("gateway, an idle connection", of.gateway_idle, "µs of CPU a second"),
        ("gateway, a new connection", of.gateway_connect, "µs of CPU"),
        ("gateway, a connection", of.connection_bytes, "bytes of memory"),
        ("messages, a message", of.messages_send, "µs of CPU"),
        ("users, a new connection", of.users_connect, "µs of CPU"),
        ("PostgreSQL, a message", of.database_send, "µs of CPU"),
        ("NATS, a message through it", of.nats_message, "µs of CPU"),
        ("a partition of the log", of.partition_rate, "messages a second, four of them on one core"),
        ("a message in the log", of.row_bytes, "bytes on disk"),
        ("a message in a hint", of.hint_bytes, "bytes on the wire"),
    ]
}
