//! What all sockets share, and how they end together.

use crate::schema::Schema;
use crate::settings::Settings;
use bus::Bus;
use contract::Clock;
use edge::{Admission, OpenRate, SocketSlots};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long clients may take to hear that the server stops.
const GOODBYE: Duration = Duration::from_secs(2);

/// See the module.
pub(crate) struct Sockets {
    pub bus: Bus,
    pub schema: Schema,
    pub settings: Settings,
    pub clock: Clock,
    pub admission: Arc<Admission>,
    pub(super) slots: Arc<SocketSlots>,
    pub(super) open_rate: OpenRate,
    /// True once the server stops.
    pub(super) stopping: watch::Sender<bool>,
    pub(super) running: Mutex<JoinSet<()>>,
}

impl Sockets {
    pub(crate) fn new(bus: Bus, schema: Schema, settings: Settings, clock: Clock, admission: Arc<Admission>) -> Arc<Self> {
        let slots = SocketSlots::new(settings.sockets_per_address);
        let open_rate = OpenRate::new(settings.sockets_per_address, clock.clone());
        Arc::new(Self {
            bus,
            schema,
            settings,
            clock,
            admission,
            slots,
            open_rate,
            stopping: watch::Sender::new(false),
            running: Mutex::default(),
        })
    }

    /// See [`crate::Graphql::close`].
    pub(crate) async fn close(&self) {
        self.stopping.send_replace(true);
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        if tokio::time::timeout(GOODBYE, async { while running.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("some GraphQL clients did not take their goodbye in time");
        }
    }
}
