//! `SetPresence`, `RenewLease`, `EndLease`: gateways say who has live sockets. What waits is written together, in one transaction, and
//! whoever came from nowhere or went to nowhere is told to contacts.

use crate::Users;
use crate::store::{Change, Store};
use bus::Bus;
use contract::calls::users::{EndLease, RenewLease, SetPresence};
use contract::hint::PresenceChanged;
use contract::{Answer, Caller, Clock, Refusal, UserRef};
use db::Coalescer;
use std::time::Duration;

/// How long a gateway is believed to live after its last word (contract: 15 s).
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
    /// Refused with `not_found` where the gateway has no lease: it has said nothing yet, or was silent for so long that its users were
    /// taken for gone. It then says again who is there.
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
        tell(&self.bus, gone.into_iter().map(|user| (user, false)));
        Ok(())
    }
}

/// Tells contacts who came or went.
pub(crate) fn tell(bus: &Bus, changes: impl IntoIterator<Item = (UserRef, bool)>) {
    for (user, online) in changes {
        tracing::debug!(user = %user.username, online, "presence changed");
        bus.publish(PresenceChanged { user, online });
    }
}

/// Presence that waits to be written.
pub(crate) type Presence = Coalescer<Change, ()>;

/// Starts the task that writes it.
pub(crate) fn start(store: Store, bus: Bus, clock: Clock) -> Presence {
    Coalescer::start(1, BATCH, move |changes| {
        let (store, bus, now) = (store.clone(), bus.clone(), clock.now());
        async move {
            let count = changes.len();
            tell(&bus, store.set_presence(changes, now, now.plus(LEASE)).await?);
            Ok(vec![(); count])
        }
    })
}
