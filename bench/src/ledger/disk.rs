//! The server's disk, as far as it can be made to fail: the shim of the acceptance stories (`acceptance/shim/disk.c`), preloaded into
//! the server, does what files in a folder say. It stands between SQLite and the C library, for the database's files only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A disk that can be told to fail.
#[derive(Clone, Debug)]
pub struct Disk {
    control: PathBuf,
    library: PathBuf,
    database: PathBuf,
}

/// A way to fail, by the name of the file that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Writes fail with ENOSPC.
    Full,
    /// Syncs fail with EIO.
    Sync,
}

impl Failure {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Sync => "fail",
        }
    }
}

impl Disk {
    /// Builds the shim into this folder, for the files of this database.
    ///
    /// # Errors
    /// There is no C compiler, or it fails.
    pub fn new(folder: &Path, database: &Path) -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../acceptance/shim/disk.c");
        let library = folder.join("disk.so");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).args(["-ldl", "-lpthread"]);
        let built = cc.output().context("no C compiler for the disk that can fail: apt-get install gcc libc6-dev")?;
        if !built.status.success() {
            bail!("{} was not built (apt-get install gcc libc6-dev): {}", source.display(), String::from_utf8_lossy(&built.stderr));
        }
        let control = folder.join("disk");
        fs::create_dir_all(&control)?;
        Ok(Self { control, library, database: database.to_owned() })
    }

    /// What a server needs in its environment to be on this disk.
    pub fn settings(&self) -> Vec<(String, String)> {
        let shown = |path: &Path| path.display().to_string();
        [("LD_PRELOAD", &self.library), ("DISK_SHIM_CONTROL", &self.control), ("DISK_SHIM_FILES", &self.database)]
            .map(|(name, path)| (name.to_owned(), shown(path)))
            .to_vec()
    }

    /// It fails in this way from now on.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn fail(&self, how: Failure) -> Result<()> {
        Ok(fs::write(self.control.join(how.name()), "")?)
    }

    /// It does not any more.
    pub fn mend(&self, how: Failure) {
        // Absent is what is wanted.
        let _ = fs::remove_file(self.control.join(how.name()));
    }

    /// Whether a server has synced through the shim: if not, no fault of this disk would be one.
    pub fn is_in_use(&self) -> bool {
        fs::metadata(self.control.join("syncs")).is_ok_and(|syncs| syncs.len() > 0)
    }
}
