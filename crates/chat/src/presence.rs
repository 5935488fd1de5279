//! Who is online. A user is online once the users service has stored it, and stays so for a while after the last socket, so that reloading a
//! page changes nothing. Reports about one user reach the service one after the other. Where a report is not answered, nobody knows whether
//! it was stored: the user's state is unsure from then on, and it is reported again.

use bus::Bus;
use contract::calls::users::{EndLease, RenewLease, SetPresence};
use contract::{Caller, Code, GatewayId, Refusal, UserId, UserRef};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How soon a report that the service did not take is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How many users are reported at once.
const AT_ONCE: usize = 64;

/// See the module.
pub(crate) struct Presence {
    bus: Bus,
    who: Caller,
    gateway: GatewayId,
    linger: Duration,
    users: Mutex<HashMap<UserId, UserPresence>>,
}

struct UserPresence {
    user: UserRef,
    sockets: usize,
    /// Goes up with every socket that comes or goes: a report that the user has left is out of date when it has changed.
    version: u64,
    /// What the service knows of the user. Only a holder of the gate changes it, except that anybody may change it to unsure.
    reported: Reported,
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// What was reported to the service about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    /// Nothing, or that the user is offline.
    Offline,
    /// That the user is online.
    Online,
    /// One of the two: the last report was not answered.
    Unsure,
}

/// A socket that keeps its user online until this is dropped.
pub(crate) struct PresenceGuard {
    presence: Arc<Presence>,
    user: UserId,
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        Presence::go(&self.presence, self.user);
    }
}

impl UserPresence {
    fn set_reported(&mut self, reported: Reported) {
        let online = metrics::gauge!("guild_users_online");
        match (self.reported == Reported::Online, reported == Reported::Online) {
            (false, true) => online.increment(1),
            (true, false) => online.decrement(1),
            _ => {}
        }
        self.reported = reported;
    }
}

impl Presence {
    pub(crate) fn new(bus: Bus, gateway: GatewayId, linger: Duration) -> Arc<Self> {
        Arc::new(Self { bus, who: Caller::service("chat"), gateway, linger, users: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, UserPresence>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket of this user is here. Answers once the service has stored that the user is online.
    ///
    /// # Errors
    /// The service's refusal; the socket does not count then.
    pub(crate) async fn come(self: &Arc<Self>, user: &UserRef) -> Result<PresenceGuard, Refusal> {
        let gate = {
            let mut users = self.lock();
            let presence = users.entry(user.id).or_insert_with(|| UserPresence {
                user: user.clone(),
                sockets: 0,
                version: 0,
                reported: Reported::Offline,
                gate: Arc::default(),
            });
            presence.sockets += 1;
            presence.version += 1;
            Arc::clone(&presence.gate)
        };
        let guard = PresenceGuard { presence: Arc::clone(self), user: user.id };
        let _turn = gate.lock().await;
        if self.reported(user.id) != Reported::Online {
            self.report(user, true).await?;
        }
        Ok(guard)
    }

    fn go(this: &Arc<Self>, user: UserId) {
        let mut users = this.lock();
        let Some(presence) = users.get_mut(&user) else { return };
        presence.sockets = presence.sockets.saturating_sub(1);
        presence.version += 1;
        if presence.sockets > 0 {
            return;
        }
        let version = presence.version;
        // Dropped outside a runtime the process is ending, and the lease with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let this = Arc::clone(this);
            runtime.spawn(async move { this.leave(user, version).await });
        }
    }

    /// Reports the user as offline after a while without a socket, unless one has come meanwhile.
    async fn leave(&self, user: UserId, version: u64) {
        tokio::time::sleep(self.linger).await;
        loop {
            let Some((who, gate)) = self.still_without_socket(user, version) else { return };
            let turn = gate.lock().await;
            if self.still_without_socket(user, version).is_none() {
                return;
            }
            let done = if self.reported(user) == Reported::Offline { Ok(()) } else { self.report(&who, false).await };
            match done {
                Ok(()) => {
                    let mut users = self.lock();
                    // A socket that came meanwhile waits at the gate, and reports the opposite.
                    if users.get(&user).is_some_and(|presence| presence.version == version) {
                        users.remove(&user);
                    }
                    return;
                }
                Err(refusal) => {
                    tracing::warn!(user = %who.username, %refusal, "it could not be stored that a user went offline; trying again");
                }
            }
            drop(turn);
            tokio::time::sleep(RETRY).await;
        }
    }

    fn still_without_socket(&self, user: UserId, version: u64) -> Option<(UserRef, Arc<tokio::sync::Mutex<()>>)> {
        let users = self.lock();
        users.get(&user).filter(|presence| presence.version == version).map(|presence| (presence.user.clone(), Arc::clone(&presence.gate)))
    }

    fn reported(&self, user: UserId) -> Reported {
        self.lock().get(&user).map_or(Reported::Offline, |presence| presence.reported)
    }

    fn set_reported(&self, user: UserId, reported: Reported) {
        let mut users = self.lock();
        if let Some(presence) = users.get_mut(&user) {
            presence.set_reported(reported);
        }
    }

    /// Reports to the service, and notes what it knows then. The caller holds the gate.
    async fn report(&self, user: &UserRef, online: bool) -> Result<(), Refusal> {
        // Before the call: its answer may never come, and this future may be dropped meanwhile.
        self.set_reported(user.id, Reported::Unsure);
        self.bus.ask(&self.who, SetPresence { gateway: self.gateway, user: user.clone(), online }).await?;
        self.set_reported(user.id, if online { Reported::Online } else { Reported::Offline });
        Ok(())
    }

    /// Renews this gateway's lease every few seconds. Where that failed for so long that its users count as offline, they are reported again,
    /// until the service has taken each of them.
    pub(crate) async fn keep_lease(&self, every: Duration, lease: Duration) {
        let mut renewed = Instant::now();
        loop {
            let asked = Instant::now();
            match self.bus.ask(&self.who, RenewLease { gateway: self.gateway }).await {
                Ok(()) => {
                    if asked.duration_since(renewed) >= lease {
                        self.mark_all_unsure();
                    }
                    renewed = asked;
                }
                // It had run out, or was never begun: the users have to be reported again.
                Err(refusal) if refusal.code == Code::NotFound => {
                    self.mark_all_unsure();
                    renewed = asked;
                }
                Err(refusal) => tracing::warn!(%refusal, "this gateway's lease could not be renewed; its users may be shown as offline"),
            }
            let next = asked + every;
            while !self.report_unsure().await && Instant::now() + RETRY < next {
                tokio::time::sleep(RETRY).await;
            }
            tokio::time::sleep_until(next.max(asked + RETRY)).await;
        }
    }

    /// What the service has stored about any user may be lost.
    fn mark_all_unsure(&self) {
        self.lock()
            .values_mut()
            .filter(|presence| presence.reported == Reported::Online)
            .for_each(|presence| presence.set_reported(Reported::Unsure));
    }

    /// Reports the users who are here and of whom the service may not know it. False where it did not take one; the others are left for
    /// later then.
    async fn report_unsure(&self) -> bool {
        let unsure = |presence: &&UserPresence| presence.reported == Reported::Unsure && presence.sockets > 0;
        let users: Vec<_> =
            self.lock().values().filter(unsure).map(|presence| (presence.user.clone(), Arc::clone(&presence.gate))).collect();
        let failed = &AtomicBool::new(false);
        // Many at once: the service writes waiting reports together, and the lease must not run out meanwhile.
        futures_util::stream::iter(users)
            .for_each_concurrent(AT_ONCE, |(user, gate)| async move {
                let _turn = gate.lock().await;
                let still_unsure =
                    self.lock().get(&user.id).is_some_and(|presence| presence.reported == Reported::Unsure && presence.sockets > 0);
                if !still_unsure || failed.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(refusal) = self.report(&user, true).await
                    && !failed.swap(true, Ordering::Relaxed)
                {
                    tracing::warn!(user = %user.username, %refusal, "a user's presence could not be stored again; it is tried again soon");
                }
            })
            .await;
        !failed.load(Ordering::Relaxed)
    }

    /// The gateway stops: its users are offline at once.
    pub(crate) async fn end_lease(&self) {
        if let Err(refusal) = self.bus.ask(&self.who, EndLease { gateway: self.gateway }).await {
            tracing::warn!(%refusal, "this gateway's lease could not be ended; its users are shown as online until it runs out");
        }
    }
}
