//! Seeded databases are kept and used again. One that bears its name is whole: it is made in a folder beside, closed, and then renamed.
//! A server never gets the kept one but a copy, so each run begins with the same bytes.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use contract::RoomId;
use rustix::fs::{FlockOperation, flock};

use super::plan::SeedPlan;
use super::services;
use crate::target::on_all_cores;

/// A database that is whole.
#[derive(Debug)]
pub struct Seeded {
    /// What is in it.
    pub plan: SeedPlan,
    /// The kept file.
    pub file: PathBuf,
    /// The rooms' ids, by the plan's numbers.
    pub rooms: Vec<RoomId>,
}

/// Where seeded databases are kept: `bench` in the target folder, beside the program's own.
///
/// # Errors
/// The program does not know where it is.
pub fn place() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).context("this program's folder has no parent")?;
    Ok(target.join("bench"))
}

/// The kept database of this plan, made if it is not there or if a fresh one is asked for.
///
/// # Errors
/// It cannot be made.
pub fn seeded(plan: SeedPlan, fresh: bool) -> Result<Seeded> {
    let folder = place()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    seeded_at(plan, folder.join(plan.file_name()), fresh)
}

/// The same in a file of this name.
///
/// # Errors
/// As [`seeded`], or what is there is another database.
pub fn seeded_at(plan: SeedPlan, file: PathBuf, fresh: bool) -> Result<Seeded> {
    if fresh {
        for old in [file.clone(), ids_of(&file)] {
            if let Err(error) = fs::remove_file(&old)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                bail!("cannot remove {}: {error}", old.display());
            }
        }
    }
    let rooms = if file.exists() { read_ids(&plan, &file)? } else { make(plan, &file)? };
    Ok(Seeded { plan, file, rooms })
}

impl Seeded {
    /// A copy for one run. While it lives nobody else copies this database.
    ///
    /// # Errors
    /// The disk is full, or another run has its copy.
    pub fn copy(&self) -> Result<Copy> {
        let folder = Claimed::take(&self.file, "run")?;
        let file = folder.path.join("guild.db");
        fs::copy(&self.file, &file).with_context(|| format!("cannot copy {} to {}", self.file.display(), file.display()))?;
        // Else the kernel writes the copy out while the run is measured.
        File::open(&file)?.sync_all()?;
        Ok(Copy { folder, file })
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |metadata| metadata.len())
    }
}

/// A copy; it is removed with this.
#[derive(Debug)]
pub struct Copy {
    folder: Claimed,
    /// The database.
    pub file: PathBuf,
}

impl Copy {
    /// The folder that it is in, for a server's log too.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }
}

fn make(plan: SeedPlan, file: &Path) -> Result<Vec<RoomId>> {
    let folder = Claimed::take(file, "partial")?;
    let partial = folder.path.join("guild.db");
    let rooms = on_own_runtime(plan, &partial)?;
    let log = fs::metadata(folder.path.join("guild.db-wal")).map_or(0, |metadata| metadata.len());
    if log > 0 {
        bail!("{} was not closed cleanly: {log} bytes of its log are left", partial.display());
    }
    let ids = folder.path.join("ids");
    fs::write(&ids, rooms.iter().flat_map(|room| room.bytes()).collect::<Vec<u8>>())?;
    for written in [&ids, &partial] {
        File::open(written)?.sync_all()?;
    }
    fs::rename(&ids, ids_of(file))?;
    fs::rename(&partial, file)?;
    Ok(rooms)
}

/// Fills on every core: nothing is measured meanwhile.
fn on_own_runtime(plan: SeedPlan, file: &Path) -> Result<Vec<RoomId>> {
    let filling = std::thread::scope(|scope| {
        let filling = scope.spawn(|| {
            on_all_cores();
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let rooms = runtime.block_on(services::fill(&plan, file));
            runtime.shutdown_background();
            rooms
        });
        filling.join()
    });
    filling.unwrap_or_else(|_| bail!("filling {} ended in a panic", file.display()))
}

/// `x.db.ids` for `x.db`: 16 bytes a room.
fn ids_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".ids");
    PathBuf::from(name)
}

fn read_ids(plan: &SeedPlan, file: &Path) -> Result<Vec<RoomId>> {
    let ids = ids_of(file);
    let again = || format!("{} does not fit the rooms of {}: make both anew with --fresh", ids.display(), file.display());
    let mut bytes = Vec::new();
    File::open(&ids).and_then(|mut ids| ids.read_to_end(&mut bytes)).with_context(again)?;
    if bytes.len() != plan.rooms * 16 {
        bail!("{}", again());
    }
    Ok(bytes.chunks_exact(16).filter_map(|id| id.try_into().ok()).map(RoomId::from_bytes).collect())
}

/// An empty folder beside a kept file, for one process at a time. What a run that was killed has left in it goes with the next one.
#[derive(Debug)]
struct Claimed {
    path: PathBuf,
    _lock: File,
}

impl Claimed {
    fn take(file: &Path, purpose: &str) -> Result<Self> {
        // An absolute path: the server is started in the folder itself.
        let path = std::path::absolute(file.with_extension(purpose))?;
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let lock = File::create(path.join("claimed"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another run uses {}: wait for it, or name another --database", path.display());
        }
        for entry in fs::read_dir(&path)?.flatten().filter(|entry| entry.file_name() != "claimed") {
            fs::remove_file(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_database_is_whole_used_again_and_copied() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small.db");
        let plan = SeedPlan::new(50, 2, 3, None, 40).unwrap();
        let made = seeded_at(plan, file.clone(), false).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "only the database and its ids: {names:?}");

        let opened = rusqlite::Connection::open(&file).unwrap();
        let count = |sql: &str| opened.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!([count("SELECT COUNT(*) FROM rooms"), count("SELECT COUNT(*) FROM users")], [50, 21]);
        assert_eq!(count("SELECT COUNT(*) FROM log WHERE seq IS NOT NULL"), 150);
        let (room, body) = (made.rooms[7].bytes(), plan.body(7, 3));
        let kept: String = opened.query_row("SELECT payload FROM log WHERE room = ?1 AND seq = 3", [room], |row| row.get(0)).unwrap();
        assert_eq!(kept, body);
        drop(opened);

        let again = seeded_at(plan, file.clone(), false).unwrap();
        assert_eq!(again.rooms, made.rooms);
        let copy = again.copy().unwrap();
        assert_eq!(fs::metadata(&copy.file).unwrap().len(), again.size());
        assert!(again.copy().unwrap_err().to_string().contains("another run"));
        let gone = copy.folder().to_owned();
        drop(copy);
        assert!(!gone.exists());

        assert_ne!(seeded_at(plan, file.clone(), true).unwrap().rooms, made.rooms);
        let other = SeedPlan::new(51, 2, 3, None, 40).unwrap();
        assert!(seeded_at(other, file, false).unwrap_err().to_string().contains("--fresh"));
    }

    #[test]
    fn what_was_left_in_the_middle_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small.db");
        fs::create_dir_all(folder.path().join("small.partial")).unwrap();
        fs::write(folder.path().join("small.partial/guild.db"), "half a database").unwrap();
        let plan = SeedPlan::new(20, 2, 1, None, 40).unwrap();
        assert_eq!(seeded_at(plan, file, false).unwrap().rooms.len(), 20);
    }
}
