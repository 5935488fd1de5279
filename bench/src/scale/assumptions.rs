//! What is assumed of a community and of its machines.

/// What is assumed; [`Assumptions::named`] says what each is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "`named` says what each is")]
pub struct Assumptions {
    pub online: f64,
    pub devices: f64,
    pub connects_an_hour: f64,
    pub messages_a_day: f64,
    pub peak: f64,
    pub audience: f64,
    pub days: f64,
    pub copies: f64,
    pub cores: f64,
    pub memory: f64,
    pub network: f64,
    pub database_cores: f64,
    pub database_terabytes: f64,
    pub busy: f64,
    pub spare: f64,
    pub core_hour: f64,
    pub gigabyte_month: f64,
}

/// What is assumed where nothing else is said.
pub const USUAL: Assumptions = Assumptions {
    online: 0.1,
    devices: 1.5,
    connects_an_hour: 4.0,
    messages_a_day: 20.0,
    peak: 3.0,
    audience: 4.0,
    days: 365.0,
    copies: 2.0,
    cores: 8.0,
    memory: 32.0,
    network: 10.0,
    database_cores: 64.0,
    database_terabytes: 20.0,
    busy: 0.6,
    spare: 2.0,
    core_hour: 0.04,
    gigabyte_month: 0.1,
};

impl Assumptions {
    /// Each with its flag and its meaning.
    pub fn named(&self) -> [(&'static str, f64, &'static str); 17] {
        [
            ("online", self.online, "part of the users online at the peak"),
            ("devices", self.devices, "connections of an online user"),
            ("connects-an-hour", self.connects_an_hour, "times an hour that a connection comes anew"),
            ("messages-a-day", self.messages_a_day, "messages of a user a day"),
            ("peak", self.peak, "times the mean"),
            ("audience", self.audience, "connections that a message is written to"),
            ("days", self.days, "days for which messages are kept"),
            ("copies", self.copies, "copies of the database"),
            ("cores", self.cores, "cores of a machine"),
            ("memory", self.memory, "GiB of a machine"),
            ("network", self.network, "Gbit/s of a machine"),
            ("database-cores", self.database_cores, "cores of the largest machine for PostgreSQL"),
            ("database-terabytes", self.database_terabytes, "terabytes that one machine for PostgreSQL may hold"),
            ("busy", self.busy, "how busy a machine may be"),
            ("spare", self.spare, "machines of each kind at the least"),
            ("core-hour", self.core_hour, "price of a core for an hour"),
            ("gigabyte-month", self.gigabyte_month, "price of a gigabyte on disk for a month"),
        ]
    }
}
