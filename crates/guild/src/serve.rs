//! A server from its start to its end. The program and the tests start it through the same function.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use vital::{Lost, Vital};

use crate::assemble::{Assembled, assemble};
use crate::listen::{Listening, listen};
use crate::metering;
use crate::settings::Settings;
use crate::shutdown::{Asked, Signals};
use crate::start_error::StartError;
use crate::{exit, vitals};

/// How long events that had begun may take to be answered.
const EVENTS: Duration = Duration::from_secs(3);

/// How long clients may take to hear that the server stops.
const GOODBYE: Duration = Duration::from_secs(4);

/// How long requests that had begun may take to be answered after that. With the times above it leaves two of the ten seconds that a
/// stop may take for what waits to be committed, and for closing the database.
const REQUESTS: Duration = Duration::from_secs(1);

/// A running server.
pub struct Server {
    /// Where it listens; the port is the real one, also where any free one was asked for.
    pub address: SocketAddr,
    listening: Listening,
    assembled: Assembled,
}

/// A listener whose queue has room for a storm: all clients of a server that was away connect at once, and a client that finds no room tries
/// again only a second later. The system may allow fewer (Linux: `net.core.somaxconn`, 4,096).
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    const WAITING: u32 = 16_384;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As tokio's own `bind` does: a server that was just stopped leaves its address taken for a while.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Starts a server. When this returns, it serves.
///
/// # Errors
/// What an operator has to mend.
pub async fn start(settings: &Settings) -> Result<Server, StartError> {
    let metrics = metering::start().map_err(|error| StartError::Metrics(error.to_string()))?;
    let mut assembled = assemble(settings, metrics).await?;
    let wanted = settings.network.listen;
    let bound = async {
        let listener = bind(wanted)?;
        listener.local_addr().map(|address| (listener, address))
    };
    let (listener, address) = bound.await.map_err(|error| StartError::Listen(wanted, error))?;
    let router = std::mem::take(&mut assembled.router);
    let listening = listen(listener, router, &assembled.own);
    let services = &settings.services;
    let database = services.run.keeps().then(|| services.database.to_string());
    let nats = services.nats.as_ref().map(|nats| nats.servers.to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        run = %services.run,
        database = database.as_deref().unwrap_or("none"),
        nats = nats.as_deref().unwrap_or("none"),
        mode = %settings.auth.mode,
        "guild has started"
    );
    tracing::info!("listening on http://{address}");
    Ok(Server { address, listening, assembled })
}

impl Server {
    /// The tasks of the program itself that the server cannot do without: when one of them ends, so does the server.
    pub fn vital(&self) -> &Vital {
        &self.assembled.own
    }

    /// Reads again what may change while the server runs: the keys of `auth.jwt.…`. It does not wait for it.
    pub fn reload(&self) {
        let users = self.assembled.users.clone();
        tracing::info!("SIGHUP: the keys of auth.jwt that are in files or at an address are read again");
        tokio::spawn(async move {
            if let Some(users) = users {
                users.reload_keys().await;
            }
        });
    }

    /// Serves until a signal asks it to stop, or a vital task is lost; stops, and answers the exit code. `drain` is the time over which clients
    /// are sent away. After a lost task they are sent away at once, because the server cannot serve them any more.
    pub async fn serve(self, mut signals: Signals, drain: Duration) -> u8 {
        let told_to_stop = async {
            loop {
                match signals.next().await {
                    Asked::Stop(name) => return name,
                    Asked::Reload => self.reload(),
                }
            }
        };
        tokio::select! {
            name = told_to_stop => {
                tracing::info!("{name}: stopping");
                signals.watch(drain, exit::FAILED);
                self.stop().await
            }
            lost = vitals::until_lost(&self.assembled.vitals) => {
                signals.watch(Duration::ZERO, exit::LOST);
                self.stop_without(lost).await
            }
        }
    }

    /// Stops: sends the clients away one after the other, then stops as [`Self::stop_at_once`] does. Answers the exit code: a task may be lost
    /// while clients wait for their turn.
    pub async fn stop(self) -> u8 {
        self.assembled.stopping.store(true, Ordering::Relaxed);
        let lost = match &self.assembled.chat {
            None => None,
            Some(chat) => tokio::select! {
                () = chat.send_away() => None,
                lost = vitals::until_lost(&self.assembled.vitals) => Some(lost),
            },
        };
        match lost {
            Some(lost) => self.stop_without(lost).await,
            None => {
                self.stop_at_once().await;
                exit::DONE
            }
        }
    }

    /// Stops at once, because of a task that is lost; answers the exit code.
    async fn stop_without(self, lost: Lost) -> u8 {
        tracing::error!("{lost}, and the server cannot do without: stopping, with exit code {}, to be started again", exit::LOST);
        self.stop_at_once().await;
        exit::LOST
    }

    /// Stops: takes nothing new, tells the clients, answers what had begun, commits what was accepted, and closes the database.
    pub async fn stop_at_once(self) {
        let Assembled { stopping, bus, chat, graphql, messages, db, tasks, .. } = self.assembled;
        stopping.store(true, Ordering::Relaxed);
        self.listening.stop_accepting();
        // Calls of other processes go elsewhere from here on.
        bus.stop_taking().await;
        if let Some(chat) = &chat {
            in_time(EVENTS, chat.drain(), "some events were not answered in time; their clients send them again").await;
            in_time(GOODBYE, chat.close(), "some clients did not take their goodbye in time; they resume by their cursors").await;
        }
        if let Some(graphql) = &graphql {
            graphql.close().await;
        }
        in_time(REQUESTS, self.listening.answered(), "some requests were not answered in time").await;
        in_time(REQUESTS, bus.answered(), "some calls of other processes were not answered in time").await;
        if let Some(messages) = &messages {
            messages.close().await;
        }
        bus.close().await;
        drop(tasks);
        if let Some(db) = &db {
            db.close().await;
        }
        tracing::info!("everything accepted is on disk; stopped");
    }
}

async fn in_time(most: Duration, work: impl Future<Output = ()>, else_say: &str) {
    if tokio::time::timeout(most, work).await.is_err() {
        tracing::warn!("{else_say}");
    }
}
