//! The bus between processes: one connection to NATS for everything.
//!
//! - Calls: `guild.call.<subject>`, to one of those who answer it (queue group `guild`): `ask`, `inbox`, `answer`; those that keep an
//!   order in `lanes`, several at once as a `bundle`.
//! - Answers: `guild.reply.<this process>.<number>`, in parts where they are large: `parts`.
//! - Hints: `guild.hint.<subject>`, or `guild.hint.<subject>.<part>`, to everybody else: `tell`.
//!
//! So whoever gives out rights in NATS gives these processes `guild.>` and nothing else. `watching` is the connection's coming and going.

mod answer;
mod ask;
mod bundle;
mod inbox;
mod lanes;
mod options;
mod parts;
mod settings;
mod tell;
mod watching;

pub use settings::{CannotConnect, NatsSettings, Servers};

use crate::calls::Registry;
use crate::hints::Topics;
use answer::Answering;
use async_nats::Client;
use async_nats::connection::State;
use inbox::Inbox;
use lanes::Lanes;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tell::Telling;
use tokio::sync::watch;
use vital::Vital;

/// How long the last words may take to leave when the connection is ended.
const FLUSH: Duration = Duration::from_secs(1);

/// How long a start waits for the connection before it goes on without.
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
    telling: Telling,
    /// Whether the connection has come, for whoever waits for that.
    up: watch::Sender<bool>,
    /// Subjects of hints that are listened to.
    listening: Mutex<HashSet<&'static str>>,
    /// What this process hears and says by.
    pub(crate) vital: Vital,
}

impl Nats {
    pub(crate) async fn start(settings: NatsSettings, calls: Arc<Registry>, hints: Arc<Topics>) -> Result<Arc<Self>, CannotConnect> {
        let (client, thread, events) = options::connect(settings).await?;
        let (telling, queue) = Telling::new();
        let nats = Arc::new(Self {
            inbox: Inbox::new(&client),
            client,
            thread,
            calls,
            hints,
            lanes: Lanes::default(),
            answering: Answering::default(),
            telling,
            up: watch::Sender::new(false),
            listening: Mutex::default(),
            vital: Vital::new(),
        });
        nats.start_inbox();
        tokio::spawn(nats.vital.keep("the telling of hints to other processes", Arc::clone(&nats).publish_queued(queue)));
        let mut up = nats.up.subscribe();
        tokio::spawn(nats.vital.keep("the watch over the connection to NATS", Arc::clone(&nats).watch(events)));
        // Where it is there, nothing has to be busy first.
        if tokio::time::timeout(FIRST, up.wait_for(|up| *up)).await.is_err() {
            tracing::warn!("NATS is not connected yet; starting without it");
        }
        Ok(nats)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(crate) async fn close(&self) {
        let last_words = async {
            self.telling.sent().await;
            // Errors are about a connection that is gone already.
            let _ = self.client.flush().await;
        };
        if self.is_connected() && tokio::time::timeout(FLUSH, last_words).await.is_err() {
            tracing::warn!("NATS did not take the last hints in time; those who missed them look into the database");
        }
        let _ = self.client.drain().await;
    }
}
