//! `bench scale`.

use anyhow::{Result, ensure};

use crate::scale::{Assumptions, Scale, USUAL};

/// Of `scale`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Users, with commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1e6, 1e7, 1e8])]
    users: Vec<f64>,
    /// The part of them that is online at the peak.
    #[arg(long, default_value_t = USUAL.online)]
    online: f64,
    /// Connections of an online user.
    #[arg(long, default_value_t = USUAL.devices)]
    devices: f64,
    /// How often a connection comes anew, an hour: mobile clients sleep.
    #[arg(long, default_value_t = USUAL.connects_an_hour)]
    connects_an_hour: f64,
    /// Messages of a user a day.
    #[arg(long, default_value_t = USUAL.messages_a_day)]
    messages_a_day: f64,
    /// How many times the mean the peak is.
    #[arg(long, default_value_t = USUAL.peak)]
    peak: f64,
    /// Connections that a message is written to.
    #[arg(long, default_value_t = USUAL.audience)]
    audience: f64,
    /// Days for which messages are kept.
    #[arg(long, default_value_t = USUAL.days)]
    days: f64,
    /// Copies of the database.
    #[arg(long, default_value_t = USUAL.copies)]
    copies: f64,
    /// Cores of a machine.
    #[arg(long, default_value_t = USUAL.cores)]
    cores: f64,
    /// GiB of memory of a machine.
    #[arg(long, default_value_t = USUAL.memory)]
    memory: f64,
    /// Gbit/s of a machine.
    #[arg(long, default_value_t = USUAL.network)]
    network: f64,
    /// Cores of the largest machine for PostgreSQL.
    #[arg(long, default_value_t = USUAL.database_cores)]
    database_cores: f64,
    /// Terabytes that one machine for PostgreSQL may hold, so that a backup can be restored within a day.
    #[arg(long, default_value_t = USUAL.database_terabytes)]
    database_terabytes: f64,
    /// How busy a machine may be.
    #[arg(long, default_value_t = USUAL.busy)]
    busy: f64,
    /// Machines of each kind at the least, so that one may fail.
    #[arg(long, default_value_t = USUAL.spare)]
    spare: f64,
    /// Price of a core for an hour.
    #[arg(long, default_value_t = USUAL.core_hour)]
    core_hour: f64,
    /// Price of a gigabyte on disk for a month.
    #[arg(long, default_value_t = USUAL.gigabyte_month)]
    gigabyte_month: f64,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// An assumption is no positive number.
    pub fn scenario(&self) -> Result<Scale> {
        let assumed = Assumptions {
            online: self.online,
            devices: self.devices,
            connects_an_hour: self.connects_an_hour,
            messages_a_day: self.messages_a_day,
            peak: self.peak,
            audience: self.audience,
            days: self.days,
            copies: self.copies,
            cores: self.cores,
            memory: self.memory,
            network: self.network,
            database_cores: self.database_cores,
            database_terabytes: self.database_terabytes,
            busy: self.busy,
            spare: self.spare,
            core_hour: self.core_hour,
            gigabyte_month: self.gigabyte_month,
        };
        for (name, value, _) in assumed.named() {
            ensure!(value.is_finite() && value > 0.0, "--{name} {value}: give a number above 0");
        }
        ensure!(self.users.iter().all(|users| users.is_finite() && *users >= 1.0), "--users: give numbers from 1");
        Ok(Scale { users: self.users.clone(), assumed })
    }
}
