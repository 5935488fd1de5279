//! Writes and publishes changes of presence. Waiting changes share one transaction. A user who has come online anywhere, or gone offline
//! everywhere, is published to contacts.

use crate::store::{Change, Store};
use bus::Bus;
use contract::hint::PresenceChanged;
use contract::{Clock, UserRef};
use db::Coalescer;
use std::time::Duration;

/// How long a gateway counts as alive after its last call (contract: 15 s).
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// Most changes in one transaction: on SQLite other writes, the messages too, wait for it.
const BATCH: usize = 256;

/// Publishes who came online and who went offline, for their contacts.
pub(crate) fn publish(bus: &Bus, changes: impl IntoIterator<Item = (UserRef, bool)>) {
    for (user, online) in changes {
        tracing::debug!(user = %user.username, online, "presence changed");
        bus.publish(PresenceChanged { user, online });
    }
}

/// Changes of presence that wait to be written, joined.
pub(crate) type Presence = Coalescer<Change, ()>;

/// Starts the task that writes it.
pub(crate) fn start(store: Store, bus: Bus, clock: Clock) -> Presence {
    Coalescer::start(1, BATCH, move |changes| {
        let (store, bus, now) = (store.clone(), bus.clone(), clock.now());
        async move {
            let count = changes.len();
            publish(&bus, store.set_presence(changes, now, now.plus(LEASE)).await?);
            Ok(vec![(); count])
        }
    })
}
