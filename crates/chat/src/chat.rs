//! The crate as a whole: what is started, and how it stops.

use crate::cut::{RESTART, tell_why};
use crate::gateway::{Gateway, restarting};
use crate::settings::{LEASE, LEASE_EVERY, Settings};
use crate::transport_handler::TransportHandler;
use axum::Router;
use bus::Bus;
use contract::Clock;
use edge::Admission;
use socketio::Server;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vital::Vital;

/// How long events that are being answered may take when the server stops.
const FINISH: Duration = Duration::from_secs(5);

/// Live connections.
pub struct Chat {
    gateway: Arc<Gateway>,
    server: Server,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Chat {
    /// Starts to listen to the bus; call it within the runtime. Services may be registered on the bus before or after: until they answer,
    /// connections wait, and are refused as `busy` in the end.
    pub fn start(bus: Bus, settings: Settings, clock: Clock, admission: Arc<Admission>) -> Chat {
        let transport = settings.transport();
        let gateway = Gateway::new(bus, settings, clock, admission);
        let server = Server::new(transport, Arc::new(TransportHandler(Arc::clone(&gateway))));
        let tasks = Mutex::new(run(&gateway));
        Chat { gateway, server, tasks }
    }

    /// What the gateway cannot do without.
    pub fn vital(&self) -> Vital {
        self.gateway.vital.clone()
    }

    /// The routes at `/socket.io`. Serve them with `into_make_service_with_connect_info::<SocketAddr>()` and inside [`edge::outer`], which
    /// finds the address under whose limits a request counts.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.server.router()
    }

    /// Sends the clients that are connected now to other gateways, one after the other over [`Settings::goodbyes`], so that they arrive there
    /// at that pace. Clients that still wait for their turn are served as before, and so are new ones: the load balancer knows by now that
    /// this gateway is not ready.
    pub async fn send_away(&self) {
        let over = self.gateway.settings.goodbyes;
        let conns = self.gateway.all_conns();
        let Ok(count) = u32::try_from(conns.len()) else { return };
        if over.is_zero() || count == 0 {
            return;
        }
        tracing::info!(connections = count, seconds = over.as_secs(), "sending clients to other gateways");
        let began = Instant::now();
        for (number, conn) in (0_u32..).zip(conns) {
            tokio::time::sleep_until(began + over.mul_f64(f64::from(number) / f64::from(count))).await;
            tell_why(&*conn, &restarting());
            conn.hang_up(RESTART);
        }
    }

    /// How many connections anything is kept of. For tests: nothing may be kept of a connection that has gone.
    pub fn kept(&self) -> usize {
        self.gateway.kept()
    }

    /// Refuses new connections and events as `busy`, and waits until those that were taken are answered: at most 5 s.
    pub async fn drain(&self) {
        self.gateway.drain();
        if tokio::time::timeout(FINISH, self.gateway.in_flight.idle()).await.is_err() {
            tracing::warn!("some events were not answered in time; their clients will send them again");
        }
    }

    /// Tells every client that the server restarts, closes their sockets once that is flushed (at most 4 s), and ends this gateway's
    /// lease, so that its users do not count as online any more. Call [`Chat::send_away`] and [`Chat::drain`] first.
    pub async fn close(&self) {
        self.gateway.drain();
        let conns = self.gateway.all_conns();
        tracing::info!(connections = conns.len(), "closing live connections");
        for conn in conns {
            tell_why(&*conn, &restarting());
            conn.hang_up(RESTART);
        }
        self.server.close().await;
        self.gateway.presence.end_lease().await;
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

/// Starts what runs as long as the gateway does.
pub(crate) fn run(gateway: &Arc<Gateway>) -> Vec<JoinHandle<()>> {
    let (bus, vital) = (&gateway.bus, &gateway.vital);
    // Subscribed before any task runs: no hint from here on is lost.
    let (log, revoked, presence) = (bus.subscribe(), bus.subscribe(), bus.subscribe());
    let (typing, read, profiles, threads) = (bus.subscribe(), bus.subscribe(), bus.subscribe(), bus.subscribe());
    let delivering = Arc::clone(gateway);
    let leasing = Arc::clone(&gateway.presence);
    vec![
        tokio::spawn(vital.keep("the delivery of live events", async move { delivering.delivery.run(log).await })),
        tokio::spawn(vital.keep("the hearing of revoked tokens", Arc::clone(gateway).hear_revocations(revoked))),
        tokio::spawn(vital.keep("the passing on of presence", Arc::clone(gateway).hear_presence(presence))),
        tokio::spawn(vital.keep("the passing on of marks in threads", Arc::clone(gateway).hear_threads(threads))),
        tokio::spawn(vital.keep("the passing on of profiles", Arc::clone(gateway).hear_profiles(profiles))),
        tokio::spawn(vital.keep("the passing on of typing and read marks", Arc::clone(gateway).hear_rooms(typing, read))),
        tokio::spawn(vital.keep("the keeping of this gateway's lease", async move { leasing.keep_lease(LEASE_EVERY, LEASE).await })),
        tokio::spawn(vital.keep("the sweep of expired sockets", Arc::clone(gateway).sweep())),
    ]
}
