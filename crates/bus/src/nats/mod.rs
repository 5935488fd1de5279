//! The bus between processes: one connection to NATS for everything.
//!
//! - Calls: `guild.call.<subject>`, to one of the processes that answer it (queue group `guild`): `ask`, `inbox`, `answer`. Calls that keep
//!   an order travel in `lanes`, several at once as a `bundle`.
//! - Answers: `guild.reply.<this process>.<number>`, in parts where they are large: `parts`.
//! - Hints: `guild.hint.<subject>`, or `guild.hint.<subject>.<part>`, to all other processes: `publish`.
//!
//! So these processes need rights in NATS to `guild.>` and to nothing else. `connection_events` handles a connection that comes and goes.

mod answer;
mod ask;
mod bundle;
mod connection_events;
mod inbox;
mod lanes;
mod options;
mod parts;
mod publish;
mod settings;

pub use settings::{CannotConnect, NatsSettings, Servers};

use crate::calls::Registry;
use crate::hints::Topics;
use answer::Answering;
use async_nats::Client;
use async_nats::connection::State;
use inbox::Inbox;
use lanes::Lanes;
use publish::HintQueue;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use vital::Vital;

/// How long the last hints may take to leave when the connection is ended.
const FLUSH: Duration = Duration::from_secs(1);

/// How long a start waits for the connection before it goes on without it.
const FIRST: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Nats {
    client: Client,
    thread: options::Thread,
    calls: Arc<Registry>,
    hints: Arc<Topics>,
    inbox: Inbox,
    lanes: Lanes,
    answering: Answering,
    hint_queue: HintQueue,
    /// Whether the connection is there.
    up: watch::Sender<bool>,
    /// Subjects of hints that are listened to.
    listening: Mutex<HashSet<&'static str>>,
    /// The tasks without which this process neither hears nor answers others.
    pub(crate) vital: Vital,
}

impl Nats {
    pub(crate) async fn start(settings: NatsSettings, calls: Arc<Registry>, hints: Arc<Topics>) -> Result<Arc<Self>, CannotConnect> {
        let (client, thread, events) = options::connect(settings).await?;
        let (hint_queue, queue) = HintQueue::new();
        let nats = Arc::new(Self {
            inbox: Inbox::new(&client),
            client,
            thread,
            calls,
            hints,
            lanes: Lanes::default(),
            answering: Answering::default(),
            hint_queue,
            up: watch::Sender::new(false),
            listening: Mutex::default(),
            vital: Vital::new(),
        });
        nats.start_inbox();
        tokio::spawn(nats.vital.keep("the publishing of hints to other processes", Arc::clone(&nats).publish_queued(queue)));
        let mut up = nats.up.subscribe();
        tokio::spawn(nats.vital.keep("the watch over the connection to NATS", Arc::clone(&nats).watch(events)));
        // Where the connection comes quickly, no call is refused as busy at the start.
        if tokio::time::timeout(FIRST, up.wait_for(|up| *up)).await.is_err() {
            tracing::warn!("NATS is not connected yet; starting without it");
        }
        Ok(nats)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(crate) async fn close(&self) {
        let last_hints = async {
            self.hint_queue.flushed().await;
            // Errors are about a connection that is gone already.
            let _ = self.client.flush().await;
        };
        if self.is_connected() && tokio::time::timeout(FLUSH, last_hints).await.is_err() {
            tracing::warn!("NATS did not take the last hints in time; processes that missed them look into the database");
        }
        let _ = self.client.drain().await;
    }
}
