//! Removes what has expired: silent gateways and old tokens. Counts who is online.

use crate::presence_writer;
use crate::service::Users;
use contract::{Refusal, Time};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// A dead gateway's users are published as offline within a second of the lease's end. Each look costs one small read.
const GATEWAYS_EVERY: Duration = Duration::from_millis(500);
const COUNT_EVERY: Duration = Duration::from_secs(3);
const TOKENS_EVERY: Duration = Duration::from_secs(3_600);

impl Users {
    /// Ends gateways whose lease has run out by `now`, and publishes who is offline everywhere.
    pub(crate) async fn sweep(&self, now: Time) -> Result<(), Refusal> {
        let gone = self.store.end_dead_gateways(now).await?;
        if !gone.is_empty() {
            tracing::info!(users = gone.len(), "users of a gateway that is silent count as offline");
        }
        presence_writer::publish(&self.bus, gone.into_iter().map(|user| (user, false)));
        Ok(())
    }

    /// Counts who is online, for the metrics. A gateway in this process counts its own steps in between.
    async fn count_online(&self, now: Time) -> Result<(), Refusal> {
        let online = self.store.count_online(now).await?;
        metrics::gauge!("guild_users_online").set(i32::try_from(online).map_or(f64::MAX, f64::from));
        Ok(())
    }
}

pub(crate) async fn dead_gateways(users: Arc<Users>) {
    let mut ticks = interval(GATEWAYS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(refusal) = users.sweep(users.clock.now()).await {
            tracing::warn!(%refusal, "dead gateways could not be swept; trying again soon");
        }
    }
}

pub(crate) async fn online(users: Arc<Users>) {
    let mut ticks = interval(COUNT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(refusal) = users.count_online(users.clock.now()).await {
            tracing::warn!(%refusal, "who is online could not be counted; trying again soon");
        }
    }
}

pub(crate) async fn expired_tokens(users: Arc<Users>) {
    let mut ticks = interval(TOKENS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match users.store.remove_expired(users.clock.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed expired tokens"),
            Err(error) => tracing::warn!(%error, "expired tokens could not be removed; trying again in an hour"),
        }
    }
}
