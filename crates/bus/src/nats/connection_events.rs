//! What the client reports about its connection. After it has come back, or where incoming messages were dropped, listeners may have missed
//! hints and are told so.

use super::Nats;
use async_nats::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How long the subscriptions of this process may take to reach all servers of a cluster after a connection. Listeners look into the database
/// once more after this time.
const SETTLE: Duration = Duration::from_secs(2);

/// Messages are dropped many at a time; listeners are told once.
const DROPS_TOGETHER: Duration = Duration::from_millis(100);

impl Nats {
    pub(super) async fn watch(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<Event>) {
        let connected = metrics::gauge!("guild_nats_connected");
        connected.set(0);
        let told_soon = Arc::new(AtomicBool::new(false));
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
                    if !told_soon.swap(true, Ordering::AcqRel) {
                        tracing::warn!("messages from NATS came faster than they could be taken and were dropped");
                        let (nats, told_soon) = (Arc::clone(&self), Arc::clone(&told_soon));
                        tokio::spawn(async move {
                            sleep(DROPS_TOGETHER).await;
                            told_soon.store(false, Ordering::Release);
                            nats.hints.missed();
                        });
                    }
                }
                Event::LameDuckMode => tracing::info!("the NATS server is about to stop; another one is looked for when it does"),
                Event::ServerError(error) => tracing::warn!(%error, "NATS refuses something"),
                Event::ClientError(error) => {
                    // The client tries again every second; a line is written when the error changes.
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

    /// Once the server knows the subscriptions, all hints before that may have been missed.
    async fn look_again(self: Arc<Self>) {
        if self.reached(SETTLE).await {
            self.hints.missed();
        }
        sleep(SETTLE).await;
        self.hints.missed();
    }
}
