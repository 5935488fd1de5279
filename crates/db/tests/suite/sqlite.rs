//! What only a SQLite file can meet: other processes, a full disk, a file that is not ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::Place;
use db::{Access, Db, Error, Migration, Migrations, OpenError, values};

const SCHEMA: Migrations = Migrations {
    service: "test",
    steps: &[Migration {
        number: 1,
        name: "notes",
        sqlite: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
        postgres: "CREATE TABLE notes (id BIGSERIAL PRIMARY KEY, body TEXT NOT NULL)",
    }],
};

fn file_of(place: &Place) -> PathBuf {
    place.folder.as_ref().unwrap().path().join("guild.db")
}

async fn add(db: &Db, body: String) -> Result<u64, Error> {
    db.write(move |tx| Box::pin(async move { tx.execute("INSERT INTO notes (body) VALUES ($1)", &values![body]).await })).await
}

async fn count(db: &Db) -> i64 {
    db.read(|tx| Box::pin(async move { tx.row("SELECT COUNT(*) FROM notes", &[], |row| row.int(0)).await })).await.unwrap().unwrap()
}

async fn refused(place: &Place, access: Access) -> OpenError {
    match place.try_open(&[SCHEMA], access).await {
        Ok(_) => panic!("{} was opened", place.url),
        Err(error) => error,
    }
}

/// Every file in the folder, with its bytes.
fn everything(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(place.folder.as_ref().unwrap().path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_tool_is_not() {
    let place = Place::file();
    let server = place.open(&[SCHEMA]).await;
    let error = refused(&place, Access::Server).await;
    assert_eq!(error, OpenError::InUse { file: fs::canonicalize(file_of(&place)).unwrap(), process: Some(std::process::id()) });
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");

    let tool = place.try_open(&[SCHEMA], Access::Tool).await.unwrap();
    add(&tool, "from the tool".to_owned()).await.unwrap();
    add(&server, "from the server".to_owned()).await.unwrap();
    let look = place.try_open(&[SCHEMA], Access::ReadOnly).await.unwrap();
    assert_eq!((count(&server).await, count(&look).await), (2, 2));
    assert!(matches!(add(&look, "no".to_owned()).await, Err(Error::Failed(_))));
    tool.close().await;
    look.close().await;

    // Another name of the same file is the same file.
    let link = place.folder.as_ref().unwrap().path().join("link.db");
    std::os::unix::fs::symlink(file_of(&place), &link).unwrap();
    let outcome = Db::open(&format!("sqlite:{}", link.display()).parse().unwrap(), &[SCHEMA], Access::Server).await;
    assert!(matches!(outcome.map(|_| ()), Err(OpenError::InUse { .. })));

    server.close().await;
    let next = place.open(&[SCHEMA]).await;
    assert_eq!(count(&next).await, 2);
    // Without a close, too: the last handle lets go of everything.
    drop(next);
    place.open(&[SCHEMA]).await;
}

#[tokio::test]
async fn another_process_writing_is_noticed() {
    let place = Place::file();
    let server = place.open(&[SCHEMA]).await;
    let generation = async || server.write(|tx| Box::pin(async move { Ok(tx.generation()) })).await.unwrap();
    let mut noticed = server.foreign_writes();
    add(&server, "mine".to_owned()).await.unwrap();
    let before = generation().await;

    let tool = place.try_open(&[SCHEMA], Access::Tool).await.unwrap();
    assert_eq!(generation().await, before, "opening is no write");
    add(&tool, "somebody else's".to_owned()).await.unwrap();
    // At once for whoever writes,
    assert_eq!(generation().await, before + 1);
    assert!(noticed.has_changed().unwrap());
    noticed.borrow_and_update();
    // and soon for whoever only listens.
    let epoch = tool.new_epoch().await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), noticed.changed()).await.expect("noticed in time").unwrap();
    assert_eq!(server.epoch(), epoch);

    // Our own writes, reads and checkpoints are nobody else's.
    noticed.borrow_and_update();
    let after = generation().await;
    for _ in 0..40 {
        add(&server, "x".repeat(500_000)).await.unwrap();
        count(&server).await;
    }
    assert_eq!(generation().await, after);
    assert!(!noticed.has_changed().unwrap());
}

#[tokio::test]
async fn the_log_starts_anew_without_a_pause_in_the_writes() {
    let place = Place::file();
    let server = place.open(&[SCHEMA]).await;
    // The log is to start anew past 64 MB; how far past depends on how soon its thread gets to it. That it did shows in a log that is far
    // shorter than what went through it.
    let log = || fs::metadata(file_of(&place).with_file_name("guild.db-wal")).unwrap().len();
    let mut written = 0;
    while log() + 50_000_000 > written * 500_000 {
        assert!(written < 2_000, "the log only grows: it is {} bytes long", log());
        add(&server, "x".repeat(500_000)).await.unwrap();
        written += 1;
    }
    assert_eq!(count(&server).await, i64::try_from(written).unwrap());
    server.close().await;
    assert!(!file_of(&place).with_file_name("guild.db-wal").exists(), "the log was taken into the file");
    assert_eq!(count(&place.open(&[SCHEMA]).await).await, i64::try_from(written).unwrap());
}

#[tokio::test]
async fn a_long_read_of_another_process_does_not_hold_up_the_writes() {
    let place = Place::file();
    let server = place.open(&[SCHEMA]).await;
    add(&server, "first".to_owned()).await.unwrap();
    // `guild check` over a large database, or a backup.
    let other = rusqlite::Connection::open(file_of(&place)).unwrap();
    other.execute_batch("BEGIN").unwrap();
    other.query_row("SELECT COUNT(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap();
    let mut longest = Duration::ZERO;
    // Past the length from which the log is to start anew, which it cannot while somebody reads from its beginning.
    for _ in 0..180 {
        let asked = std::time::Instant::now();
        add(&server, "x".repeat(500_000)).await.unwrap();
        longest = longest.max(asked.elapsed());
    }
    assert!(longest < Duration::from_secs(2), "a write waited {longest:?}");
    other.execute_batch("COMMIT").unwrap();
}

#[tokio::test]
async fn a_full_disk_is_busy_until_there_is_room() {
    let place = Place::file();
    let db = place.open(&[SCHEMA]).await;
    add(&db, "before".to_owned()).await.unwrap();
    // SQLite's own limit answers just as a full disk does.
    limit_pages(&db, 30).await;
    let mut written = 1;
    let refusal = loop {
        match add(&db, "x".repeat(10_000)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the limit does not hold");
    };
    assert!(matches!(&refusal, Error::Busy(cause) if cause.contains("disk is full")), "{refusal:?}");
    for _ in 0..3 {
        assert!(matches!(add(&db, "x".repeat(100_000)).await, Err(Error::Busy(_))));
        assert_eq!(count(&db).await, written);
    }
    // Whoever ignores the error inside the work does not get half of it.
    let outcome = db
        .write(|tx| {
            Box::pin(async move {
                let insert = "INSERT INTO notes (body) VALUES ($1)";
                tx.execute(insert, &values!["small"]).await?;
                assert!(tx.execute(insert, &values!["x".repeat(100_000)]).await.is_err());
                assert!(tx.execute(insert, &values!["small"]).await.is_err());
                Ok(())
            })
        })
        .await;
    assert!(matches!(outcome, Err(Error::Busy(_))), "{outcome:?}");
    assert_eq!(count(&db).await, written);
    limit_pages(&db, 1_000_000).await;
    add(&db, "x".repeat(100_000)).await.unwrap();
    assert_eq!(count(&db).await, written + 1);
}

async fn limit_pages(db: &Db, pages: i64) {
    let sql = if pages == 30 { "PRAGMA max_page_count = 30" } else { "PRAGMA max_page_count = 1000000" };
    let set = db.write(move |tx| Box::pin(async move { tx.row(sql, &[], |row| row.int(0)).await })).await;
    assert_eq!(set, Ok(Some(pages)));
}

#[tokio::test]
async fn a_lock_held_by_another_program_is_busy_and_passes() {
    let place = Place::file();
    let db = place.open(&[SCHEMA]).await;
    let other = rusqlite::Connection::open(file_of(&place)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO notes (body) VALUES ('theirs')").unwrap();
    let outcome = add(&db, "mine".to_owned()).await;
    assert!(matches!(&outcome, Err(Error::Busy(_))), "{outcome:?}");
    assert_eq!(count(&db).await, 0);
    other.execute_batch("COMMIT").unwrap();
    add(&db, "mine".to_owned()).await.unwrap();
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn waiting_inside_a_transaction_is_an_error() {
    let place = Place::file();
    let db = place.open(&[SCHEMA]).await;
    let outcome = db
        .write(|tx| {
            Box::pin(async move {
                tx.execute("INSERT INTO notes (body) VALUES ('x')", &[]).await?;
                std::future::pending::<()>().await;
                Ok(())
            })
        })
        .await;
    assert!(matches!(&outcome, Err(Error::Failed(cause)) if cause.contains("waited")), "{outcome:?}");
    assert_eq!(count(&db).await, 0);
}

/// An answer that nobody takes any more, and that panics when it is thrown away: outside its transaction, on the database's thread.
struct Falls;

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

#[tokio::test]
async fn a_panic_around_a_transaction_ends_no_thread() {
    let place = Place::file();
    let db = place.open(&[SCHEMA]).await;
    let vital = db.vital();
    // More often than there are threads.
    for round in 0..6 {
        let (gone, wait) = std::sync::mpsc::channel::<()>();
        let work = move || {
            // Until nobody waits for the answer.
            let _ = wait.recv();
            Ok(Falls)
        };
        if round % 2 == 0 {
            let mut asked = Box::pin(db.write(move |_| Box::pin(async move { work() })));
            assert!(futures_util::poll!(asked.as_mut()).is_pending());
        } else {
            let mut asked = Box::pin(db.read(move |_| Box::pin(async move { work() })));
            assert!(futures_util::poll!(asked.as_mut()).is_pending());
        }
        drop(gone);
    }
    add(&db, "still there".to_owned()).await.unwrap();
    assert_eq!(count(&db).await, 1);
    assert_eq!(vital.lost(), None);
}

#[tokio::test]
async fn a_newer_database_is_refused_untouched() {
    const NEWER: Migrations = Migrations {
        service: "test",
        steps: &[SCHEMA.steps[0], Migration { number: 2, name: "later", sqlite: "SELECT 1", postgres: "SELECT 1" }],
    };
    let place = Place::file();
    place.open(&[NEWER]).await.close().await;
    let before = everything(&place);
    for access in [Access::Server, Access::Tool, Access::ReadOnly] {
        let error = refused(&place, access).await;
        assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error:?}");
        assert!(error.to_string().contains("newer version of guild (test schema 2, this program knows up to 1)"), "{error}");
        assert_eq!(everything(&place), before);
    }

    // The same while what is newer stands only in the log that a crash has left.
    let place = Place::file();
    place.open(&[SCHEMA]).await.close().await;
    let newer = place.try_open(&[NEWER], Access::Tool).await.unwrap();
    let copy = Place::file();
    for name in ["guild.db", "guild.db-wal"] {
        fs::copy(file_of(&place).with_file_name(name), file_of(&copy).with_file_name(name)).unwrap();
    }
    newer.close().await;
    let before = everything(&copy);
    let error = refused(&copy, Access::Server).await;
    assert!(matches!(error, OpenError::Newer { found: 2, .. }), "{error:?}");
    let after = everything(&copy);
    assert!(before.iter().all(|file| after.contains(file)), "a file was changed");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_untouched() {
    let foreign = {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("other.db");
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
        drop(other);
        fs::read(path).unwrap()
    };
    let ours = {
        let place = Place::file();
        let db = place.open(&[SCHEMA]).await;
        add(&db, "x".repeat(50_000)).await.unwrap();
        db.close().await;
        fs::read(file_of(&place)).unwrap()
    };
    let mut scrambled = ours.clone();
    scrambled[100..4096].fill(0xAB);
    let files: [(Vec<u8>, &str); 6] = [
        (b"hello".to_vec(), "is not a database"),
        (vec![0x5A; 10_000], "is not a database"),
        (b"SQLite format 3\0".to_vec(), "is not a database"),
        (foreign, "is a database of another program"),
        (ours[..8192].to_vec(), "is damaged (8192 bytes long, where its header promises"),
        (scrambled, "is damaged"),
    ];
    for (bytes, said) in files {
        let place = Place::file();
        fs::write(file_of(&place), &bytes).unwrap();
        for access in [Access::Server, Access::Tool, Access::ReadOnly] {
            let error = refused(&place, access).await.to_string();
            assert!(error.contains(said), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(fs::read(file_of(&place)).unwrap() == bytes, "the file was changed: {error}");
        }
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_used_says_what_to_do() {
    let folder = tempfile::TempDir::new().unwrap();
    let open = async |path: &Path, access| match Db::open(&format!("sqlite:{}", path.display()).parse().unwrap(), &[SCHEMA], access).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error.to_string(),
    };
    let error = open(&folder.path().join("no/guild.db"), Access::Server).await;
    assert!(error.contains("/no cannot be reached") && error.contains("make it"), "{error}");
    let error = open(folder.path(), Access::Server).await;
    assert!(error.contains("it is a folder"), "{error}");
    let error = open(&folder.path().join("guild.db"), Access::ReadOnly).await;
    assert!(error.contains("does not exist"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "looking made a file");
}

#[tokio::test]
async fn a_start_that_was_cut_short_goes_on() {
    // An empty file, as a crash before the first write leaves it.
    let place = Place::file();
    fs::write(file_of(&place), b"").unwrap();
    let db = place.open(&[SCHEMA]).await;
    add(&db, "here".to_owned()).await.unwrap();
    // A copy of a running database, as a crash leaves it: the log is taken up.
    let copy = Place::file();
    for name in ["guild.db", "guild.db-wal"] {
        fs::copy(file_of(&place).with_file_name(name), file_of(&copy).with_file_name(name)).unwrap();
    }
    let recovered = copy.open(&[SCHEMA]).await;
    assert_eq!((count(&recovered).await, recovered.epoch()), (1, db.epoch()));
}
