//! The end of a server: who asks for it, and what happens when it takes too long.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::logging;

/// How long a graceful stop may take once the clients have been sent away.
const MOST: Duration = Duration::from_secs(10);

/// Hears the signals that ask for an end: SIGTERM and SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system lets nobody listen.
    pub fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one; says which it was.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
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
            let name = self.next().await;
            tracing::warn!("{name} while stopping: ended at once");
            end(code);
        });
    }
}

fn end(code: u8) -> ! {
    logging::flush();
    std::process::exit(code.into())
}
