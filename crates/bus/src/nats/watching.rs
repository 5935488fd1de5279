//! The connection's coming and going. After it has come back, or where messages were dropped on the way in, listeners may have missed
//! hints and are told so.

use super::Nats;
use async_nats::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How long a server that has just been connected to may take to know what is listened to here; servers of a cluster tell one another,
/// so listeners look once more after this time.
const SETTLE: Duration = Duration::from_secs(2);

/// Messages that are dropped come in crowds; listeners are told once.
const CROWD: Duration = Duration::from_millis(100);

impl Nats {
    pub(super) async fn watch(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<Event>) {
        let connected = metrics::gauge!("guild_nats_connected");
        connected.set(0);
        let crowd = Arc::new(AtomicBool::new(false));
        let mut last_error = String::new();
        while let Some(event) = events.recv().await {
            match event {
                Event::Connected => {
                    connected.set(1);
                    self.up.send_replace(true);
                    last_error.clear();
                    let server = self.client.server_info();
                    tracing::info!(server = server.server_name, version = server.version, "connected to NATS");
                    tokio::spawn(Arc::clone(&self).look_again());
                }
                Event::Disconnected => {
                    connected.set(0);
                    self.up.send_replace(false);
                    self.inbox.cut();
                    tracing::warn!("the connection to NATS is lost: what other processes answer is busy until it is back");
                }
                Event::SlowConsumer(_) => {
                    if !crowd.swap(true, Ordering::AcqRel) {
                        tracing::warn!("messages from NATS came faster than they could be taken and were dropped");
                        let (nats, crowd) = (Arc::clone(&self), Arc::clone(&crowd));
                        tokio::spawn(async move {
                            sleep(CROWD).await;
                            crowd.store(false, Ordering::Release);
                            nats.hints.missed();
                        });
                    }
                }
                Event::LameDuckMode => tracing::info!("the NATS server is about to stop; another one is looked for when it does"),
                Event::ServerError(error) => tracing::warn!(%error, "NATS refuses something"),
                Event::ClientError(error) => {
                    // It is tried again every second, and said again when it changes.
                    let error = error.to_string();
                    if error != last_error {
                        tracing::warn!(error, "NATS cannot be reached; trying again until it can");
                        last_error = error;
                    }
                }
                Event::Draining | Event::Closed => tracing::debug!("the connection to NATS ends"),
            }
        }
    }

    /// Once the server knows what is listened to here, whatever was told before may have been missed.
    async fn look_again(self: Arc<Self>) {
        if self.reached(SETTLE).await {
            self.hints.missed();
        }
        sleep(SETTLE).await;
        self.hints.missed();
    }
}
