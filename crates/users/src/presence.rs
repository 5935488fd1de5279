//! `SetPresence`, `RenewLease`, `EndLease`: gateways report who has live sockets. Waiting reports share one transaction. A user who has come
//! online anywhere, or gone offline everywhere, is published to contacts.

use crate::Users;
use crate::store::{Change, Store};
use bus::Bus;
use contract::calls::users::{EndLease, RenewLease, SetPresence};
use contract::hint::PresenceChanged;
use contract::{Answer, Caller, Clock, Refusal, UserRef};
use db::Coalescer;
use std::time::Duration;

/// How long a gateway counts as alive after its last call (contract: 15 s).
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// Most changes in one transaction: on SQLite other writes, the messages too, wait for it.
const BATCH: usize = 256;

impl Answer<SetPresence> for Users {
    async fn answer(&self, who: &Caller, call: SetPresence) -> Result<(), Refusal> {
        who.must_be_service()?;
        Ok(self.presence.ask(Change { gateway: call.gateway, user: call.user, online: call.online }).await?)
    }
}

impl Answer<RenewLease> for Users {
    /// Refused with `not_found` if the gateway has no lease: it is new, or was silent for so long that its users count as offline. It then
    /// reports again who is online.
    async fn answer(&self, who: &Caller, call: RenewLease) -> Result<(), Refusal> {
        who.must_be_service()?;
        let renewed = self.store.renew_lease(call.gateway, self.clock.now().plus(LEASE)).await?;
        if renewed { Ok(()) } else { Err(Refusal::not_found("this gateway has no lease: say again who is online")) }
    }
}

impl Answer<EndLease> for Users {
    async fn answer(&self, who: &Caller, call: EndLease) -> Result<(), Refusal> {
        who.must_be_service()?;
        let gone = self.store.end_gateway(call.gateway, self.clock.now()).await?;
        publish(&self.bus, gone.into_iter().map(|user| (user, false)));
        Ok(())
    }
}

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
