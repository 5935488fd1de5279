//! `SetPresence`, `RenewLease`, `EndLease`: gateways say who has live sockets. What waits is written together, in one transaction, and
//! whoever came from nowhere or went to nowhere is told to contacts.

use crate::Users;
use crate::store::{Change, Store};
use bus::Bus;
use contract::calls::users::{EndLease, RenewLease, SetPresence};
use contract::hint::PresenceChanged;
use contract::{Answer, Caller, Clock, Refusal, UserRef};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a gateway is believed to live after its last word (contract: 15 s).
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// Most changes in one transaction: on SQLite other writes, the messages too, wait for it.
const BATCH: usize = 256;

/// Most changes that wait before whoever says more has to wait.
const WAITING: usize = 4_096;

impl Answer<SetPresence> for Users {
    async fn answer(&self, who: &Caller, call: SetPresence) -> Result<(), Refusal> {
        who.must_be_service()?;
        self.presence.set(Change { gateway: call.gateway, user: call.user, online: call.online }).await
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

/// The task that writes presence. It ends with this.
pub(crate) struct Presence(mpsc::Sender<Waiting>);

type Waiting = (Change, oneshot::Sender<Result<(), Refusal>>);

impl Presence {
    pub(crate) fn start(store: Store, bus: Bus, clock: Clock) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        tokio::spawn(write(waiting, store, bus, clock));
        Self(sender)
    }

    /// Answers when the change is stored.
    async fn set(&self, change: Change) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let stopped = |_| Refusal::busy("presence is not kept any more: the server is stopping");
        self.0.send((change, answer)).await.map_err(|_| stopped(()))?;
        answered.await.map_err(|_| stopped(()))?
    }
}

async fn write(mut waiting: mpsc::Receiver<Waiting>, store: Store, bus: Bus, clock: Clock) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (changes, answers): (Vec<Change>, Vec<_>) = batch.drain(..).unzip();
        let now = clock.now();
        let stored = match store.set_presence(changes, now, now.plus(LEASE)).await {
            Ok(changed) => {
                tell(&bus, changed);
                Ok(())
            }
            Err(error) => Err(Refusal::from(error)),
        };
        for answer in answers {
            // Who does not wait for the answer any more needs none.
            let _ = answer.send(stored.clone());
        }
    }
}
