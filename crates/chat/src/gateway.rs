//! What all connections of this process share.

use crate::deliver::Deliver;
use crate::found::FoundOut;
use crate::nobodies::Nobodies;
use crate::presence::Presence;
use crate::registry::{Key, Registry};
use crate::revoked::Revocations;
use crate::settings::{Settings, TRANSPORTS_PER_SOCKET};
use crate::throttle::Throttle;
use crate::under_way::UnderWay;
use bus::Bus;
use contract::{Call, Caller, Clock, GatewayId, Refusal};
use edge::{Admission, OpenRate, SocketSlot, SocketSlots};
use socketio::Conn;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vital::Vital;

/// See the module.
pub(crate) struct Gateway {
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) admission: Arc<Admission>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) deliver: Deliver,
    pub(crate) presence: Arc<Presence>,
    pub(crate) addresses: Arc<SocketSlots>,
    /// Connected or not: who open_rate transports without end and connects none has a limit too.
    pub(crate) transports: Arc<SocketSlots>,
    /// How fast transports may be opened.
    open_rate: OpenRate,
    pub(crate) revocations: Revocations,
    pub(crate) throttle: Throttle,
    pub(crate) found: FoundOut,
    /// All events that are being answered.
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) vital: Vital,
    who: Caller,
    next_key: AtomicU64,
    draining: AtomicBool,
    /// Every connection, authenticated or not.
    conns: Mutex<HashMap<Key, Arc<Conn>>>,
    /// Those that have still to say who they are.
    pub(crate) nobodies: Nobodies,
    /// A clone is in each [`crate::client::Client`], so that they can be counted.
    kept: Arc<()>,
}

impl Gateway {
    pub(crate) fn new(bus: Bus, settings: Settings, clock: Clock, admission: Arc<Admission>) -> Arc<Self> {
        let registry = Arc::<Registry>::default();
        Arc::new(Self {
            deliver: Deliver::new(bus.clone(), Arc::clone(&registry)),
            presence: Presence::new(bus.clone(), GatewayId::new(), settings.presence_linger),
            addresses: SocketSlots::new(settings.sockets_per_address),
            transports: SocketSlots::new(settings.sockets_per_address.saturating_mul(TRANSPORTS_PER_SOCKET)),
            revocations: Revocations::default(),
            throttle: Throttle::new(),
            found: FoundOut::new(),
            under_way: Arc::default(),
            vital: Vital::new(),
            who: Caller::service("chat"),
            next_key: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            conns: Mutex::default(),
            nobodies: Nobodies::default(),
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

    /// A transport for this address.
    ///
    /// # Errors
    /// `rate_limited` where it has too many, or open_rate them too fast.
    pub(crate) fn open(&self, address: IpAddr) -> Result<SocketSlot, Refusal> {
        let place = self.transports.take(address).ok_or_else(|| self.too_many_sockets())?;
        self.open_rate.take(address)?;
        Ok(place)
    }

    /// What an address is told that is full.
    pub(crate) fn too_many_sockets(&self) -> Refusal {
        metrics::counter!("guild_rate_limited_total", "what" => "sockets").increment(1);
        let most = self.settings.sockets_per_address;
        Refusal::rate_limited(format!("this address has {most} sockets, which is the most; close one"), Duration::from_secs(1))
    }

    /// A name for a connection.
    pub(crate) fn key(&self) -> Key {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Nothing new is taken from here on.
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
        self.nobodies.remove(key);
        let mut conns = self.conns.lock().unwrap_or_else(PoisonError::into_inner);
        if conns.remove(&key).is_some() {
            metrics::gauge!("guild_connections").decrement(1);
        }
    }

    /// A connection that is there.
    pub(crate) fn conn(&self, key: Key) -> Option<Arc<Conn>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// What a connection's state holds as long as it is kept.
    pub(crate) fn keep(&self) -> Arc<()> {
        Arc::clone(&self.kept)
    }

    /// Of how many connections anything is kept.
    pub(crate) fn kept(&self) -> usize {
        Arc::strong_count(&self.kept) - 1
    }

    pub(crate) fn all_conns(&self) -> Vec<Arc<Conn>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// What everybody is told when the server stops.
pub(crate) fn restarting() -> Refusal {
    Refusal::busy("the server restarts; reconnect")
}
