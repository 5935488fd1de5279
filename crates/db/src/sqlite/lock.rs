//! Keeps a second server out: a lock file beside the database, not a lock on it, so that tools can use it meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::OpenError;

/// Held as long as this lives, and not a moment longer, however the process ends. The file itself stays.
pub(super) struct ServerLock(File);

impl ServerLock {
    /// Takes the lock of this database, or says who has it.
    pub(super) fn take(database: &Path) -> Result<ServerLock, OpenError> {
        let path = lock_file(database);
        let unusable = |cause: String| OpenError::Unusable { file: database.to_owned(), cause };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| unusable(format!("its lock file {} cannot be written: {error}", path.display())))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let process = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::InUse { file: database.to_owned(), process });
            }
            Err(error) => {
                let path = path.display();
                return Err(unusable(format!("{path} cannot be locked ({error}): put the database on a local disk, not on a network's")));
            }
        }
        note_process(&mut file).map_err(|error| unusable(format!("{} cannot be written: {error}", path.display())))?;
        Ok(ServerLock(file))
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        // Closing the file releases the lock; the process id in it would only mislead.
        if let Err(error) = self.0.set_len(0) {
            tracing::debug!(%error, "the lock file keeps this process's id");
        }
    }
}

fn note_process(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

/// `guild.db.lock` for `guild.db`.
fn lock_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
