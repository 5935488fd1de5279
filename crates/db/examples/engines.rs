//! How fast the face is on each engine, in a few seconds: `cargo run --release -p db --example engines`.
//!
//! A log of 200 rooms is filled in batches of 128 rows of 100 bytes, each batch one synced transaction and each row one
//! statement; then the last 50 rows of a room are read, one page after the other, and by four readers at once. Not a
//! benchmark to publish: the tables are small and young.

#[path = "../tests/support/postgres.rs"]
#[expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the tests' helper")]
mod postgres;

use std::error::Error;
use std::time::{Duration, Instant};

use db::{Access, Db, Migration, Migrations, values};

const SCHEMA: Migrations = Migrations {
    service: "spike",
    steps: &[Migration {
        number: 1,
        name: "log",
        sqlite: "CREATE TABLE log (position INTEGER PRIMARY KEY, room BIGINT NOT NULL, seq BIGINT NOT NULL,
                     sender BYTEA NOT NULL, body TEXT NOT NULL, UNIQUE (room, seq))",
        postgres: "CREATE TABLE log (position BIGINT NOT NULL PRIMARY KEY, room BIGINT NOT NULL, seq BIGINT NOT NULL,
                     sender BYTEA NOT NULL, body TEXT COLLATE \"C\" NOT NULL, UNIQUE (room, seq))",
    }],
};

const INSERT: &str = "INSERT INTO log (position, room, seq, sender, body) VALUES ($1, $2, $3, $4, $5)";
const PAGE: &str = "SELECT position, seq, sender, body FROM log WHERE room = $1 ORDER BY seq DESC LIMIT 50";
const ROOMS: i64 = 200;
const BATCH: i64 = 128;
const SPAN: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::TempDir::new()?;
    let file = format!("sqlite:{}", folder.path().join("guild.db").display());
    measure("SQLite, file", &file).await?;
    measure("SQLite, memory", "sqlite::memory:").await?;
    let server = postgres::Server::start();
    measure("PostgreSQL, local socket", &server.url()).await
}

async fn measure(name: &str, url: &str) -> Result<(), Box<dyn Error>> {
    let db = Db::open(&url.parse()?, &[SCHEMA], Access::Server).await?;
    let (started, mut rows) = (Instant::now(), 0);
    while started.elapsed() < SPAN {
        db.write(move |tx| {
            Box::pin(async move {
                for position in rows..rows + BATCH {
                    let row = values![position, position % ROOMS, position / ROOMS, [7_u8; 16], "x".repeat(100)];
                    tx.execute(INSERT, &row).await?;
                }
                Ok(())
            })
        })
        .await?;
        rows += BATCH;
    }
    println!("{name}: {:.0} rows/s in batches of {BATCH}", per_second(rows, started));

    for (readers, writes) in [(1, false), (4, false), (4, true)] {
        let (started, cpu) = (Instant::now(), cpu_seconds()?);
        let writer = writes.then(|| tokio::spawn(trickle(db.clone(), rows, started)));
        let tasks: Vec<_> = (0..readers).map(|_| tokio::spawn(read_pages(db.clone(), started))).collect();
        let mut pages = 0;
        for task in tasks {
            pages += task.await??;
        }
        let each = 1e6 * (cpu_seconds()? - cpu) / number(pages);
        let beside = match writer {
            Some(writer) => format!(" beside {:.0} commits/s", per_second(writer.await??, started)),
            None => String::new(),
        };
        let speed = per_second(pages, started);
        println!("{name}: {speed:.0} pages/s of 50 rows, {readers} at once{beside}, {each:.0} us of this process's CPU each");
    }
    db.close().await;
    Ok(())
}

/// Commits single rows, some 500 a second: each makes the pages stale that the readers keep.
async fn trickle(db: Db, first: i64, started: Instant) -> Result<i64, db::Error> {
    let mut position = first;
    while started.elapsed() < SPAN {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let row = values![position, position % ROOMS, position / ROOMS, [7_u8; 16], "x".repeat(100)];
        db.write(move |tx| Box::pin(async move { tx.execute(INSERT, &row).await })).await?;
        position += 1;
    }
    Ok(position - first)
}

async fn read_pages(db: Db, started: Instant) -> Result<i64, db::Error> {
    let mut pages = 0;
    while started.elapsed() < SPAN {
        let room = pages * 7 % ROOMS;
        let page = db
            .read(move |tx| {
                Box::pin(async move { tx.rows(PAGE, &values![room], |row| Ok((row.int(0)?, row.int(1)?, row.id(2)?, row.text(3)?))).await })
            })
            .await?;
        if page.len() != 50 {
            return Err(db::Error::Failed(format!("a page of {} rows", page.len())));
        }
        pages += 1;
    }
    Ok(pages)
}

/// What this process has used of the processors so far: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field, the name, may hold spaces; it ends at the last parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn number(count: i64) -> f64 {
    count as f64
}

fn per_second(count: i64, since: Instant) -> f64 {
    number(count) / since.elapsed().as_secs_f64()
}
