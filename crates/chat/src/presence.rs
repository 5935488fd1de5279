//! Who is online: a user is once the users service has stored it, and stays so for a while after the last socket, so that a reload does
//! not flap. Per user, what is told to the service is told one after the other. What became of a word that was not answered nobody knows:
//! the user's state is unsure from then on, and it is told again.

use bus::Bus;
use contract::calls::users::{EndLease, RenewLease, SetPresence};
use contract::{Caller, Code, GatewayId, Refusal, UserId, UserRef};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How soon a word that the service did not take is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How many users are told of at once.
const AT_ONCE: usize = 64;

/// See the module.
pub(crate) struct Presence {
    bus: Bus,
    who: Caller,
    gateway: GatewayId,
    linger: Duration,
    users: Mutex<HashMap<UserId, Known>>,
}

struct Known {
    user: UserRef,
    sockets: usize,
    /// Changes with every coming and going, so that a leaving knows whether it is still the last word.
    version: u64,
    /// What the service knows of the user. Changed only by whoever holds the gate, and to unsure by anybody.
    told: Told,
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// What the service has been told of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nothing, or that the user is gone.
    Gone,
    /// That the user is here.
    Here,
    /// Perhaps the one, perhaps the other.
    Unsure,
}

/// A socket that counts; when it is dropped, it does not any more.
pub(crate) struct Came {
    presence: Arc<Presence>,
    user: UserId,
}

impl Drop for Came {
    fn drop(&mut self) {
        Presence::go(&self.presence, self.user);
    }
}

impl Known {
    fn note(&mut self, told: Told) {
        let online = metrics::gauge!("guild_users_online");
        match (self.told == Told::Here, told == Told::Here) {
            (false, true) => online.increment(1),
            (true, false) => online.decrement(1),
            _ => {}
        }
        self.told = told;
    }
}

impl Presence {
    pub(crate) fn new(bus: Bus, gateway: GatewayId, linger: Duration) -> Arc<Self> {
        Arc::new(Self { bus, who: Caller::service("chat"), gateway, linger, users: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket of this user is here. Answers once the user is known to be online.
    ///
    /// # Errors
    /// The service's refusal; the socket does not count then.
    pub(crate) async fn come(self: &Arc<Self>, user: &UserRef) -> Result<Came, Refusal> {
        let gate = {
            let mut users = self.lock();
            let known = users.entry(user.id).or_insert_with(|| Known {
                user: user.clone(),
                sockets: 0,
                version: 0,
                told: Told::Gone,
                gate: Arc::default(),
            });
            known.sockets += 1;
            known.version += 1;
            Arc::clone(&known.gate)
        };
        let came = Came { presence: Arc::clone(self), user: user.id };
        let _turn = gate.lock().await;
        if self.told(user.id) != Told::Here {
            self.tell(user, true).await?;
        }
        Ok(came)
    }

    fn go(this: &Arc<Self>, user: UserId) {
        let mut users = this.lock();
        let Some(known) = users.get_mut(&user) else { return };
        known.sockets = known.sockets.saturating_sub(1);
        known.version += 1;
        if known.sockets > 0 {
            return;
        }
        let version = known.version;
        // Dropped outside a runtime the process is ending, and the lease with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let this = Arc::clone(this);
            runtime.spawn(async move { this.leave(user, version).await });
        }
    }

    /// After a while without a socket the user is gone, if nobody has come meanwhile.
    async fn leave(&self, user: UserId, version: u64) {
        tokio::time::sleep(self.linger).await;
        loop {
            let Some((who, gate)) = self.still_gone(user, version) else { return };
            let turn = gate.lock().await;
            if self.still_gone(user, version).is_none() {
                return;
            }
            let done = if self.told(user) == Told::Gone { Ok(()) } else { self.tell(&who, false).await };
            match done {
                Ok(()) => {
                    let mut users = self.lock();
                    // Whoever came while this was told waits at the gate, and tells the opposite.
                    if users.get(&user).is_some_and(|known| known.version == version) {
                        users.remove(&user);
                    }
                    return;
                }
                Err(refusal) => {
                    tracing::warn!(user = %who.username, %refusal, "a user's going could not be stored; trying again");
                }
            }
            drop(turn);
            tokio::time::sleep(RETRY).await;
        }
    }

    fn still_gone(&self, user: UserId, version: u64) -> Option<(UserRef, Arc<tokio::sync::Mutex<()>>)> {
        let users = self.lock();
        users.get(&user).filter(|known| known.version == version).map(|known| (known.user.clone(), Arc::clone(&known.gate)))
    }

    fn told(&self, user: UserId) -> Told {
        self.lock().get(&user).map_or(Told::Gone, |known| known.told)
    }

    fn note(&self, user: UserId, told: Told) {
        let mut users = self.lock();
        if let Some(known) = users.get_mut(&user) {
            known.note(told);
        }
    }

    /// Tells the service, and notes what it knows. Whoever calls it holds the gate.
    async fn tell(&self, user: &UserRef, online: bool) -> Result<(), Refusal> {
        // Before it is asked: an answer may never come, and this future may be dropped meanwhile.
        self.note(user.id, Told::Unsure);
        self.bus.ask(&self.who, SetPresence { gateway: self.gateway, user: user.clone(), online }).await?;
        self.note(user.id, if online { Told::Here } else { Told::Gone });
        Ok(())
    }

    /// Says every few seconds that this gateway lives. Where that failed for so long that its users count as gone, they are told anew, and
    /// again until each of them could be.
    pub(crate) async fn keep_lease(&self, every: Duration, lease: Duration) {
        let mut renewed = Instant::now();
        loop {
            let asked = Instant::now();
            match self.bus.ask(&self.who, RenewLease { gateway: self.gateway }).await {
                Ok(()) => {
                    if asked.duration_since(renewed) >= lease {
                        self.doubt_all();
                    }
                    renewed = asked;
                }
                // It had run out, or nothing was said yet: who is here has to be said again.
                Err(refusal) if refusal.code == Code::NotFound => {
                    self.doubt_all();
                    renewed = asked;
                }
                Err(refusal) => tracing::warn!(%refusal, "this gateway's lease could not be renewed; its users may be shown as gone"),
            }
            let next = asked + every;
            while !self.tell_again().await && Instant::now() + RETRY < next {
                tokio::time::sleep(RETRY).await;
            }
            tokio::time::sleep_until(next.max(asked + RETRY)).await;
        }
    }

    /// What the service was told of anybody may be lost.
    fn doubt_all(&self) {
        self.lock().values_mut().filter(|known| known.told == Told::Here).for_each(|known| known.note(Told::Unsure));
    }

    /// Tells anew that those are here of whom the service may not know it. False where it did not take one: then it is not asked about the
    /// others now.
    async fn tell_again(&self) -> bool {
        let unsure = |known: &&Known| known.told == Told::Unsure && known.sockets > 0;
        let users: Vec<_> = self.lock().values().filter(unsure).map(|known| (known.user.clone(), Arc::clone(&known.gate))).collect();
        let failed = &AtomicBool::new(false);
        // Many at once: the service writes together what waits, and a lease must not run out over it.
        futures_util::stream::iter(users)
            .for_each_concurrent(AT_ONCE, |(user, gate)| async move {
                let _turn = gate.lock().await;
                let here = self.lock().get(&user.id).is_some_and(|known| known.told == Told::Unsure && known.sockets > 0);
                if !here || failed.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(refusal) = self.tell(&user, true).await
                    && !failed.swap(true, Ordering::Relaxed)
                {
                    tracing::warn!(user = %user.username, %refusal, "a user's presence could not be stored again; it is tried again soon");
                }
            })
            .await;
        !failed.load(Ordering::Relaxed)
    }

    /// The gateway stops: its users are gone at once.
    pub(crate) async fn end_lease(&self) {
        if let Err(refusal) = self.bus.ask(&self.who, EndLease { gateway: self.gateway }).await {
            tracing::warn!(%refusal, "this gateway's lease could not be ended; its users are shown until it runs out");
        }
    }
}
