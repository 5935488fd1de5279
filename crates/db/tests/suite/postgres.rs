//! What only a server can do: be lost, be stopped, be shared with other programs, want a password or a certificate.

use std::time::{Duration, Instant};

use crate::support::Place;
use crate::support::postgres::Server;
use db::{Access, Db, Error, Migration, Migrations, Tx, values};
use tokio::sync::oneshot;

const SCHEMA: Migrations = Migrations {
    service: "test",
    steps: &[Migration { number: 1, name: "notes", sqlite: "CREATE TABLE notes (id BIGINT)", postgres: "CREATE TABLE notes (id BIGINT)" }],
};

async fn insert(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.execute("INSERT INTO notes (id) VALUES ($1)", &values![id]).await
}

async fn add(db: &Db, id: i64) -> Result<u64, Error> {
    db.write(move |tx| Box::pin(insert(tx, id))).await
}

async fn count(db: &Db) -> Result<i64, Error> {
    db.read(|tx| Box::pin(async move { Ok(tx.row("SELECT COUNT(*) FROM notes", &[], |row| row.int(0)).await?.unwrap()) })).await
}

async fn open(url: &str, access: Access) -> Result<Db, String> {
    Db::open(&url.parse().unwrap(), &[SCHEMA], access).await.map_err(|error| error.to_string())
}

async fn refused(url: &str, access: Access) -> String {
    match open(url, access).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

#[track_caller]
fn is_busy<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(&outcome, Err(Error::Busy(_))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_undoes_what_was_open_and_is_taken_up_again() {
    let mut place = Place::postgres();
    let db = place.open(&[SCHEMA]).await;
    add(&db, 1).await.unwrap();
    // Every connection of both pools is open, and dies.
    futures_util::future::join_all((0..20).map(|_| count(&db))).await;
    for _ in 0..2 {
        let (begun, has_begun) = oneshot::channel();
        let (crashed, has_crashed) = oneshot::channel();
        let writing = tokio::spawn({
            let db = db.clone();
            async move {
                db.write(move |tx| {
                    Box::pin(async move {
                        insert(tx, 2).await?;
                        begun.send(()).unwrap();
                        has_crashed.await.unwrap();
                        insert(tx, 3).await
                    })
                })
                .await
            }
        });
        has_begun.await.unwrap();
        place.server.as_mut().unwrap().crash();
        crashed.send(()).unwrap();
        is_busy(writing.await.unwrap());
        let asked = Instant::now();
        is_busy(count(&db).await);
        is_busy(add(&db, 4).await);
        assert!(asked.elapsed() < Duration::from_secs(2), "a server that is not there is known at once");
        place.server.as_mut().unwrap().restart();
        // Nothing that is left in the pools is broken.
        let all = futures_util::future::join_all((0..20).map(|_| count(&db))).await;
        assert!(all.iter().all(|count| *count == Ok(1)), "{all:?}");
    }
    add(&db, 5).await.unwrap();
    assert_eq!(count(&db).await, Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_busy_in_time() {
    let place = Place::postgres();
    let db = place.open(&[SCHEMA]).await;
    add(&db, 1).await.unwrap();
    count(&db).await.unwrap();
    place.server.as_ref().unwrap().freeze();
    let asked = Instant::now();
    let (read, written) = tokio::join!(count(&db), add(&db, 2));
    is_busy(read);
    is_busy(written);
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    // What was connected was given up, and a new connection takes too long as well.
    let asked = Instant::now();
    is_busy(count(&db).await);
    assert!(asked.elapsed() < Duration::from_secs(7), "{:?}", asked.elapsed());
    place.server.as_ref().unwrap().thaw();
    let found = count(&db).await.unwrap();
    assert!(found == 1 || found == 2, "what was not answered may have happened, once: {found}");
    add(&db, 3).await.unwrap();
    assert_eq!(count(&db).await, Ok(found + 1));
}

#[tokio::test]
async fn a_writer_who_falls_silent_lets_others_go_on() {
    let place = Place::postgres();
    let db = place.open(&[SCHEMA]).await;
    // As another instance that was stopped while it held the lock of a partition.
    let (client, connection) = tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("SET idle_in_transaction_session_timeout = 1000; BEGIN; SELECT pg_advisory_xact_lock(77)").await.unwrap();
    db.write(|tx| {
        Box::pin(async move {
            tx.lock(77).await?;
            // The same limit stands for every connection of ours, and the lock began the transaction.
            let limit = tx.row("SELECT current_setting('idle_in_transaction_session_timeout')", &[], |row| row.text(0)).await?;
            assert_eq!(limit.as_deref(), Some("15s"));
            insert(tx, 1).await
        })
    })
    .await
    .unwrap();
    assert_eq!(count(&db).await, Ok(1));
    assert!(connection.await.unwrap().is_err(), "the silent one was ended");
}

#[tokio::test]
async fn what_is_written_does_not_wait_behind_what_is_read() {
    let place = Place::postgres();
    let db = place.open(&[SCHEMA]).await;
    let (ended, end) = tokio::sync::watch::channel(false);
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(100);
    let reads: Vec<_> = (0..20)
        .map(|_| {
            let (db, mut end, begun) = (db.clone(), end.clone(), begun.clone());
            tokio::spawn(async move {
                db.read(move |tx| {
                    Box::pin(async move {
                        tx.row("SELECT COUNT(*) FROM notes", &[], |row| row.int(0)).await?;
                        begun.send(()).await.unwrap();
                        end.wait_for(|ended| *ended).await.unwrap();
                        Ok(())
                    })
                })
                .await
            })
        })
        .collect();
    for _ in 0..8 {
        has_begun.recv().await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(2), add(&db, 1)).await.expect("at once").unwrap();
    ended.send(true).unwrap();
    for read in reads {
        read.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_lock_begins_a_transaction_that_is_whole() {
    let place = Place::postgres();
    let db = place.open(&[SCHEMA]).await;
    let outcome: Result<(), Error> = db
        .write(|tx| {
            Box::pin(async move {
                tx.lock(5).await?;
                insert(tx, 1).await?;
                Err(Error::Failed("no".to_owned()))
            })
        })
        .await;
    assert_eq!(outcome, Err(Error::Failed("no".to_owned())));
    assert_eq!(count(&db).await, Ok(0));
    // A transaction without a statement is fine, too.
    db.write(|_| Box::pin(async move { Ok(()) })).await.unwrap();
    db.read(|_| Box::pin(async move { Ok(()) })).await.unwrap();
}

#[tokio::test]
async fn a_server_notices_what_tools_do() {
    let place = Place::postgres();
    let server = place.open(&[SCHEMA]).await;
    let mut noticed = server.foreign_writes();
    let tool = place.try_open(&[SCHEMA], Access::Tool).await.unwrap();
    for _ in 0..2 {
        // Until the server has looked for the first time, it cannot tell what is new.
        let epoch = tool.new_epoch().await.unwrap();
        let soon = Duration::from_secs(2);
        while tokio::time::timeout(soon, noticed.changed()).await.is_err() {
            add(&tool, 1).await.unwrap();
        }
        noticed.borrow_and_update();
        assert_eq!(server.epoch(), epoch);
    }
    // Other servers are a matter of course.
    let other = place.open(&[SCHEMA]).await;
    add(&other, 2).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(1_500), noticed.changed()).await;
    assert!(nothing.is_err(), "a server's write was taken for a tool's");
}

#[tokio::test]
async fn who_wants_it_alone_waits_for_nobody_and_lets_nobody_in() {
    let place = Place::postgres();
    let server = place.open(&[SCHEMA]).await;
    let error = refused(&place.url, Access::Alone).await;
    assert!(error.contains("in use by a guild server") && error.contains("stop all of them"), "{error}");
    server.close().await;
    drop(server);
    let alone = open(&place.url, Access::Alone).await.unwrap();
    add(&alone, 1).await.unwrap();
    assert!(refused(&place.url, Access::Server).await.contains("guild copy"));
    assert!(refused(&place.url, Access::Alone).await.contains("another guild copy"));
    assert_eq!(count(&open(&place.url, Access::ReadOnly).await.unwrap()).await, Ok(1));
    alone.close().await;
    drop(alone);
    let asked = Instant::now();
    while let Err(error) = open(&place.url, Access::Server).await {
        assert!(asked.elapsed() < Duration::from_secs(5), "{error}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_why() {
    let place = Place::postgres();
    let error = refused(&place.url, Access::ReadOnly).await;
    assert!(error.contains("it is empty"), "{error}");
    let db = place.open(&[SCHEMA]).await;
    drop(db);
    let (client, connection) = tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
    let named = |name: &str| place.url.replace("/postgres", &format!("/{name}")).replace(&format!("//{name}"), "//postgres");
    let error = refused(&named("latin"), Access::Server).await;
    assert!(error.contains("its encoding is LATIN1") && error.contains("ENCODING 'UTF8'"), "{error}");
    let error = refused(&named("nowhere"), Access::Server).await;
    assert!(error.contains("\"nowhere\" does not exist") && error.contains("CREATE DATABASE"), "{error}");
}

#[tokio::test]
async fn a_password_and_a_certificate_are_checked() {
    let server = Server::start_on_the_network();
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute("CREATE ROLE guild LOGIN PASSWORD 'r@ght'").await.unwrap();
    client.batch_execute("CREATE DATABASE chat OWNER guild").await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
    let url = |host: &str, password: &str, rest: &str| format!("postgres://guild:{password}@{host}:{}/chat?{rest}", server.port());
    let encrypted = async |rest: &str| {
        let db = open(&url("localhost", "r%40ght", rest), Access::Server).await.unwrap_or_else(|error| panic!("{rest}: {error}"));
        let sql = "SELECT CASE WHEN ssl THEN 'yes' ELSE 'no' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let said = db.read(move |tx| Box::pin(async move { tx.row(sql, &[], |row| row.text(0)).await })).await;
        add(&db, 1).await.unwrap();
        said.unwrap().unwrap()
    };
    let trusted = format!("sslmode=verify-full&sslrootcert={}", server.certificate().to_str().unwrap().replace('/', "%2F"));
    for (rest, expected) in
        [("", "yes"), ("sslmode=disable", "no"), ("sslmode=prefer", "yes"), ("sslmode=require", "yes"), (&trusted, "yes")]
    {
        assert_eq!(encrypted(rest).await, expected, "{rest}");
    }
    // The certificate is localhost's, and nobody but itself has signed it.
    let error = refused(&url("127.0.0.1", "r%40ght", &trusted), Access::Server).await;
    assert!(error.contains("certificate"), "{error}");
    let error = refused(&url("localhost", "r%40ght", "sslmode=verify-full&sslrootcert=system"), Access::Server).await;
    assert!(error.contains("certificate"), "{error}");

    let error = refused(&url("localhost", "wrong", ""), Access::Server).await;
    assert!(error.contains("password authentication failed") && error.contains("check the user and the password"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
    let port = server.port();
    drop(server);
    let error = refused(&format!("postgres://guild:x@127.0.0.1:{port}/chat"), Access::Server).await;
    assert!(error.contains("Connection refused") && error.contains(&format!("127.0.0.1:{port}/chat")), "{error}");
}
