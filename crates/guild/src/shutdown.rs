//! The end of a server: who asks for it, and what happens when it takes too long. Also what else a signal asks for.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::logging;

/// How long a graceful stop may take once the clients have been sent away.
const MOST: Duration = Duration::from_secs(10);

/// Hears the signals that ask for an end, SIGTERM and SIGINT, and the one that asks for keys to be read again, SIGHUP.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To stop; by this signal.
    Stop(&'static str),
    /// To read again what may change while the server runs.
    Reload,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system lets nobody listen.
    pub fn new() -> io::Result<Self> {
        let [terminate, interrupt, hangup] = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        // Without somebody who hears it a SIGHUP ends the process.
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    /// Waits for one that asks for an end; says which it was. What else comes meanwhile is passed over.
    pub async fn stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(name) = self.next().await {
                return name;
            }
        }
    }

    /// Waits for one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// From now on a signal ends the process at once, and so does the time limit: 10 s, and what sending the clients away takes
    /// (`drain`). It exits with `code` then. The watch is a thread of its own, so that it also holds where the runtime is stuck.
    pub fn watch(mut self, drain: Duration, code: u8) {
        let most = MOST + drain;
        std::thread::spawn(move || {
            std::thread::sleep(most);
            tracing::error!("stopping took more than {} seconds; ended without waiting longer", most.as_secs());
            end(code);
        });
        tokio::spawn(async move {
            let name = self.stop().await;
            tracing::warn!("{name} while stopping: ended at once");
            end(code);
        });
    }
}

fn end(code: u8) -> ! {
    logging::flush();
    std::process::exit(code.into())
}
