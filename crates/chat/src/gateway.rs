//! What all connections of this process share.

use crate::authentication_deadlines::AuthenticationDeadlines;
use crate::delivery::Delivery;
use crate::in_flight::InFlight;
use crate::membership_cache::MembershipCache;
use crate::presence::Presence;
use crate::registry::{Key, Registry};
use crate::revocations::Revocations;
use crate::settings::{Settings, TRANSPORTS_PER_SOCKET};
use crate::typing_throttle::TypingThrottle;
use bus::Bus;
use contract::{Call, Caller, Clock, GatewayId, Refusal};
use edge::{Admission, OpenRate, SocketSlot, SocketSlots};
use socketio::Conn;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use vital::Vital;

/// See the module.
pub(crate) struct Gateway {
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) admission: Arc<Admission>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) delivery: Delivery,
    pub(crate) presence: Arc<Presence>,
    pub(crate) socket_slots: Arc<SocketSlots>,
    /// Counts transports whether they are connected or not: an address that only opens them has a limit, too.
    transport_slots: Arc<SocketSlots>,
    /// How fast transports may be opened.
    open_rate: OpenRate,
    pub(crate) revocations: Revocations,
    pub(crate) typing_throttle: TypingThrottle,
    pub(crate) memberships: MembershipCache,
    /// All events that are being answered.
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) vital: Vital,
    who: Caller,
    next_key: AtomicU64,
    draining: AtomicBool,
    /// Every connection, authenticated or not.
    conns: Mutex<HashMap<Key, Arc<Conn>>>,
    pub(crate) authentication_deadlines: AuthenticationDeadlines,
    /// A clone is in the state of each connection, so that they can be counted.
    kept: Arc<()>,
}

impl Gateway {
    pub(crate) fn new(bus: Bus, settings: Settings, clock: Clock, admission: Arc<Admission>) -> Arc<Self> {
        let registry = Arc::<Registry>::default();
        Arc::new(Self {
            delivery: Delivery::new(bus.clone(), Arc::clone(&registry)),
            presence: Presence::new(bus.clone(), GatewayId::new(), settings.presence_linger),
            socket_slots: SocketSlots::new(settings.sockets_per_address),
            transport_slots: SocketSlots::new(settings.sockets_per_address.saturating_mul(TRANSPORTS_PER_SOCKET)),
            revocations: Revocations::default(),
            typing_throttle: TypingThrottle::new(),
            memberships: MembershipCache::new(),
            in_flight: Arc::default(),
            vital: Vital::new(),
            who: Caller::service("chat"),
            next_key: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            conns: Mutex::default(),
            authentication_deadlines: AuthenticationDeadlines::default(),
            kept: Arc::default(),
            open_rate: OpenRate::new(settings.sockets_per_address, clock.clone()),
            bus,
            clock,
            settings,
            admission,
            registry,
        })
    }

    /// Asks a service in this gateway's own name.
    pub(crate) async fn ask<C: Call>(&self, call: C) -> Result<C::Reply, Refusal> {
        self.bus.ask(&self.who, call).await
    }

    /// A slot for a transport of this address.
    ///
    /// # Errors
    /// `rate_limited` where it has too many, or open_rate them too fast.
    pub(crate) fn open(&self, address: IpAddr) -> Result<SocketSlot, Refusal> {
        let slot = self.transport_slots.take(address).ok_or_else(|| self.too_many_sockets())?;
        self.open_rate.take(address)?;
        Ok(slot)
    }

    /// What an address is told that has no slot left.
    pub(crate) fn too_many_sockets(&self) -> Refusal {
        metrics::counter!("guild_rate_limited_total", "what" => "sockets").increment(1);
        let most = self.settings.sockets_per_address;
        Refusal::rate_limited(format!("this address has {most} sockets, which is the most; close one"), Duration::from_secs(1))
    }

    /// A name for a connection.
    pub(crate) fn next_key(&self) -> Key {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes nothing new from here on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Refuses while the server stops.
    pub(crate) fn must_not_drain(&self) -> Result<(), Refusal> {
        if self.draining.load(Ordering::Acquire) { Err(restarting()) } else { Ok(()) }
    }

    pub(crate) fn opened(&self, key: Key, conn: &Arc<Conn>) {
        let mut conns = self.conns.lock().unwrap_or_else(PoisonError::into_inner);
        if conns.insert(key, Arc::clone(conn)).is_none() {
            metrics::gauge!("guild_connections").increment(1);
        }
    }

    pub(crate) fn closed(&self, key: Key) {
        self.authentication_deadlines.remove(key);
        let mut conns = self.conns.lock().unwrap_or_else(PoisonError::into_inner);
        if conns.remove(&key).is_some() {
            metrics::gauge!("guild_connections").decrement(1);
        }
    }

    /// From now on a connection has so long to authenticate.
    pub(crate) fn start_authentication_deadline(&self, key: Key) {
        // A deadline past the end of the clock never comes.
        if let Some(deadline) = Instant::now().checked_add(self.settings.authenticate_within) {
            self.authentication_deadlines.put(key, deadline);
        }
    }

    /// The connection of this name, if it is open.
    pub(crate) fn conn(&self, key: Key) -> Option<Arc<Conn>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// For the state of a connection, which holds it as long as it is kept.
    pub(crate) fn keep(&self) -> Arc<()> {
        Arc::clone(&self.kept)
    }

    /// How many connections anything is kept of.
    pub(crate) fn kept(&self) -> usize {
        Arc::strong_count(&self.kept) - 1
    }

    pub(crate) fn all_conns(&self) -> Vec<Arc<Conn>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// What every client is told when the server stops.
pub(crate) fn restarting() -> Refusal {
    Refusal::busy("the server restarts; reconnect")
}
