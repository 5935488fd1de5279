//! What every scenario is given: which server it measures, and how one is started.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::target::{Launch, Server, Target, prepare};

/// What every scenario is given.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The server to start: `guild`, or one of the peers.
    pub server: String,
    /// A server that runs already, which is measured instead.
    pub running: Option<Target>,
    /// The guild program, where cargo should not build it.
    pub guild: Option<PathBuf>,
    /// Whether a server that is started keeps to a core of its own.
    pub pin: bool,
    /// The command that gives the same again, for documents.
    pub command: String,
}

/// A server under test: the one that runs, or one that was started and ends with this.
pub struct Tested {
    /// How to reach it.
    pub target: Target,
    _server: Option<(Server, tempfile::TempDir)>,
}

impl Setup {
    /// How our own server is started in this folder.
    pub fn launch(&self, folder: &Path) -> Launch {
        self.launch_of("guild", folder)
    }

    fn launch_of(&self, name: &str, folder: &Path) -> Launch {
        Launch { guild: self.guild.clone(), pin: self.pin, ..Launch::new(name, folder) }
    }

    /// The server that runs, or this one, started in a temporary folder; `adjust` may change how.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, name: &str, adjust: impl FnOnce(&mut Launch)) -> Result<Tested> {
        if let Some(target) = &self.running {
            return Ok(Tested { target: target.clone(), _server: None });
        }
        prepare(name, self.guild.as_deref())?;
        let folder = tempfile::Builder::new().prefix("guild-bench-").tempdir()?;
        let mut launch = self.launch_of(name, folder.path());
        adjust(&mut launch);
        let server = Server::start(launch)?;
        Ok(Tested { target: server.target(), _server: Some((server, folder)) })
    }
}
