//! The same cases over a SQLite file, SQLite in memory and PostgreSQL: what a service's store may rely on.

use crate::support::Place;
use db::{Access, Db, Engine, Error, Migration, Migrations, OpenError, Tx, values};

const SCHEMA: Migrations = Migrations {
    service: "test",
    steps: &[Migration {
        number: 1,
        name: "tables",
        sqlite: "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, number BIGINT, name TEXT, bytes BLOB);
                 CREATE TABLE pairs (a BIGINT NOT NULL, b TEXT NOT NULL, UNIQUE (a, b));",
        postgres: "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, number BIGINT, name TEXT COLLATE \"C\", bytes BYTEA);
                   CREATE TABLE pairs (a BIGINT NOT NULL, b TEXT NOT NULL, UNIQUE (a, b));",
    }],
};

const INSERT: &str = "INSERT INTO things (id, number, name, bytes) VALUES ($1, $2, $3, $4)";

/// Each case as three tests, one an engine.
macro_rules! on_every_engine {
    ($($case:ident),* $(,)?) => {
        mod file { $(#[tokio::test] async fn $case() { super::$case(super::Place::file()).await })* }
        mod memory { $(#[tokio::test] async fn $case() { super::$case(super::Place::memory()).await })* }
        mod postgres { $(#[tokio::test] async fn $case() { super::$case(super::Place::postgres()).await })* }
    };
}

on_every_engine!(
    values_come_back,
    parameters_are_numbered,
    wrong_types_are_errors,
    statements_answer_counts_and_rows,
    text_is_ordered_by_its_bytes,
    a_conflict_names_its_columns,
    an_error_undoes_everything,
    a_refusal_of_the_work_undoes_everything,
    a_panic_undoes_everything,
    a_read_cannot_write,
    concurrent_writes_all_last,
    a_read_sees_one_snapshot,
    the_generation_tells_of_others,
    the_epoch_lasts,
    new_steps_are_taken_and_newer_schemas_refused,
    closing_finishes_what_waits,
);

async fn insert(db: &Db, id: i64) -> Result<(), Error> {
    db.write(move |tx| Box::pin(async move { tx.execute(INSERT, &values![id, 0_i64, "", b""]).await.map(|_| ()) })).await
}

async fn count(db: &Db) -> i64 {
    db.read(|tx| Box::pin(count_in(tx))).await.unwrap()
}

async fn count_in(tx: &mut Tx) -> Result<i64, Error> {
    Ok(tx.row("SELECT COUNT(*) FROM things", &[], |row| row.int(0)).await?.unwrap())
}

async fn values_come_back(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let rows = vec![
        (1, Some(i64::MIN), Some(String::new()), Some(Vec::new())),
        (2, Some(i64::MAX), Some("Grüße, 世界 \u{1F980} 'quoted'".to_owned()), Some(every_byte)),
        (3, Some(0), Some("a\nb\u{1}".to_owned()), Some(vec![0; 16])),
        (4, None, None, None),
    ];
    let given = rows.clone();
    db.write(move |tx| {
        Box::pin(async move {
            for (id, number, name, bytes) in given {
                assert_eq!(tx.execute(INSERT, &values![id, number, name, bytes]).await?, 1);
            }
            Ok(())
        })
    })
    .await
    .unwrap();
    let read = db
        .read(|tx| {
            Box::pin(async move {
                tx.rows("SELECT id, number, name, bytes FROM things ORDER BY id", &[], |row| {
                    Ok((row.int(0)?, row.maybe_int(1)?, row.maybe_text(2)?, row.maybe_bytes(3)?))
                })
                .await
            })
        })
        .await
        .unwrap();
    assert_eq!(read, rows);
    let (text, bytes, id, none) = db
        .read(|tx| {
            Box::pin(async move {
                let sql = "SELECT a.name, a.bytes, b.bytes, c.bytes FROM things a, things b, things c
                           WHERE a.id = $1 AND b.id = $2 AND c.id = $3";
                tx.row(sql, &values![2_i64, 3_i64, 4_i64], |row| Ok((row.text(0)?, row.bytes(1)?, row.id(2)?, row.maybe_id(3)?))).await
            })
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((text.as_str(), bytes.len(), id, none), ("Grüße, 世界 \u{1F980} 'quoted'", 256, [0; 16], None));
}

async fn parameters_are_numbered(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let read = db
        .read(|tx| {
            Box::pin(async move {
                let sql = "SELECT CAST($2 AS BIGINT), CAST($1 AS TEXT), '$1', CAST($2 AS BIGINT) + CAST($3 AS BIGINT)";
                tx.row(sql, &values!["first", 2_i64, 3_i64], |row| Ok((row.int(0)?, row.text(1)?, row.text(2)?, row.int(3)?))).await
            })
        })
        .await
        .unwrap();
    assert_eq!(read, Some((2, "first".to_owned(), "$1".to_owned(), 5)));
}

async fn wrong_types_are_errors(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    db.write(|tx| Box::pin(async move { tx.execute(INSERT, &values![1_i64, None::<i64>, "name", b"short"]).await })).await.unwrap();
    fn failed<T: std::fmt::Debug>(outcome: Result<T, Error>) {
        assert!(matches!(&outcome, Err(Error::Failed(_))), "{outcome:?}");
    }
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT name FROM things", &[], |row| row.int(0)).await })).await);
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT number FROM things", &[], |row| row.int(0)).await })).await);
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT bytes FROM things", &[], |row| row.id(0)).await })).await);
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT bytes FROM things", &[], |row| row.text(0)).await })).await);
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT id FROM things", &[], |row| row.int(1)).await })).await);
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT id FROM things", &values![1_i64], |row| row.int(0)).await })).await);
    failed(db.read(|tx| Box::pin(async move { tx.row("SELECT id FROM things WHERE id = $1", &[], |row| row.int(0)).await })).await);
    failed(db.write(|tx| Box::pin(async move { tx.execute(INSERT, &values![2_i64, 0_i64, "a\0b", b""]).await })).await);
    let outcome = db.read(|tx| Box::pin(async move { tx.row("SELECT id FROM\n  nowhere", &[], |row| row.int(0)).await })).await;
    let Err(Error::Failed(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("nowhere") && message.contains("SELECT id FROM nowhere"), "{message}");
    assert_eq!(count(&db).await, 1);
}

async fn statements_answer_counts_and_rows(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let outcome = db
        .write(|tx| {
            Box::pin(async move {
                let upsert = "INSERT INTO things (id, number) VALUES ($1, 1)
                              ON CONFLICT (id) DO UPDATE SET number = things.number + 1 RETURNING number";
                let mut numbers = Vec::new();
                for _ in 0..3 {
                    numbers.push(tx.row(upsert, &values![7_i64], |row| row.int(0)).await?);
                }
                let ignored = "INSERT INTO things (id) VALUES ($1) ON CONFLICT DO NOTHING";
                let ignored = (tx.execute(ignored, &values![7_i64]).await?, tx.execute(ignored, &values![8_i64]).await?);
                let updated = tx.execute("UPDATE things SET number = $1", &values![None::<i64>]).await?;
                let returned = tx.rows("DELETE FROM things RETURNING id", &[], |row| row.int(0)).await?;
                let none = tx.row("SELECT id FROM things", &[], |row| row.int(0)).await?;
                Ok((numbers, ignored, updated, returned.len(), none))
            })
        })
        .await
        .unwrap();
    assert_eq!(outcome, (vec![Some(1), Some(2), Some(3)], (0, 1), 2, 2, None));
    // The first row of several, from a statement that writes: all of it happens.
    let first = db
        .write(|tx| {
            Box::pin(async move { tx.row("INSERT INTO things (id) VALUES (1), (2), (3) RETURNING id", &[], |row| row.int(0)).await })
        })
        .await;
    assert_eq!((first, count(&db).await), (Ok(Some(1)), 3));
}

async fn text_is_ordered_by_its_bytes(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    db.write(|tx| {
        Box::pin(async move {
            for (id, name) in ["é", "a", "_", "B", "Z"].into_iter().enumerate() {
                tx.execute(INSERT, &values![i64::try_from(id).unwrap(), 0_i64, name, b""]).await?;
            }
            Ok(())
        })
    })
    .await
    .unwrap();
    let names = db.read(|tx| Box::pin(async move { tx.rows("SELECT name FROM things ORDER BY name", &[], |row| row.text(0)).await })).await;
    assert_eq!(names.unwrap(), ["B", "Z", "_", "a", "é"]);
}

async fn a_conflict_names_its_columns(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let pair = async || {
        db.write(|tx| Box::pin(async move { tx.execute("INSERT INTO pairs (a, b) VALUES ($1, $2)", &values![1_i64, "(x)=("]).await })).await
    };
    assert_eq!(pair().await, Ok(1));
    assert_eq!(pair().await, Err(Error::Conflict("pairs.a, pairs.b".to_owned())));
    assert_eq!(insert(&db, 1).await, Ok(()));
    assert_eq!(insert(&db, 1).await, Err(Error::Conflict("things.id".to_owned())));
    assert_eq!(insert(&db, 2).await, Ok(()));
}

async fn an_error_undoes_everything(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    insert(&db, 1).await.unwrap();
    // The work takes no notice of the error; the transaction does.
    let outcome = db
        .write(|tx| {
            Box::pin(async move {
                tx.execute(INSERT, &values![2_i64, 0_i64, "", b""]).await?;
                let first = tx.execute(INSERT, &values![1_i64, 0_i64, "", b""]).await;
                let later = tx.execute(INSERT, &values![3_i64, 0_i64, "", b""]).await;
                assert_eq!(first, Err(Error::Conflict("things.id".to_owned())));
                assert_eq!(later, first);
                Ok(())
            })
        })
        .await;
    assert_eq!(outcome, Err(Error::Conflict("things.id".to_owned())));
    assert_eq!(count(&db).await, 1);
    insert(&db, 2).await.unwrap();
    assert_eq!(count(&db).await, 2);
}

async fn a_refusal_of_the_work_undoes_everything(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let refusal = Error::Failed("changed its mind".to_owned());
    let refuses = refusal.clone();
    let outcome: Result<(), Error> = db
        .write(|tx| {
            Box::pin(async move {
                tx.execute(INSERT, &values![1_i64, 0_i64, "", b""]).await?;
                assert_eq!(count_in(tx).await?, 1);
                Err(refuses)
            })
        })
        .await;
    assert_eq!((outcome, count(&db).await), (Err(refusal), 0));
    insert(&db, 1).await.unwrap();
}

async fn a_panic_undoes_everything(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    for _ in 0..20 {
        let outcome: Result<(), Error> = db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(INSERT, &values![1_i64, 0_i64, "", b""]).await?;
                    panic!("a mistake in the work")
                })
            })
            .await;
        assert!(matches!(&outcome, Err(Error::Failed(cause)) if cause.contains("a mistake in the work")), "{outcome:?}");
        let outcome: Result<Vec<()>, Error> =
            db.read(|tx| Box::pin(async move { tx.rows("SELECT 1", &[], |_| panic!("a mistake in a row")).await })).await;
        assert!(matches!(&outcome, Err(Error::Failed(_))), "{outcome:?}");
    }
    assert_eq!(count(&db).await, 0);
    insert(&db, 1).await.unwrap();
    assert_eq!(count(&db).await, 1);
}

async fn a_read_cannot_write(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let outcome = db.read(|tx| Box::pin(async move { tx.execute(INSERT, &values![1_i64, 0_i64, "", b""]).await })).await;
    assert!(matches!(&outcome, Err(Error::Failed(_))), "{outcome:?}");
    insert(&db, 2).await.unwrap();
    assert_eq!(count(&db).await, 1);
}

async fn concurrent_writes_all_last(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let db = db.clone();
            tokio::spawn(async move {
                for turn in 0..25 {
                    insert(&db, writer * 1_000 + turn).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(count(&db).await, 200);
    if place.url != "sqlite::memory:" {
        db.close().await;
        assert_eq!(count(&place.open(&[SCHEMA]).await).await, 200);
    }
}

async fn a_read_sees_one_snapshot(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    db.write(|tx| Box::pin(async move { tx.execute("INSERT INTO things (id, number) VALUES (1, 500), (2, 500)", &[]).await }))
        .await
        .unwrap();
    let moving = tokio::spawn({
        let db = db.clone();
        async move {
            for _ in 0..100 {
                db.write(|tx| {
                    Box::pin(async move {
                        tx.execute("UPDATE things SET number = number - 1 WHERE id = 1", &[]).await?;
                        tx.execute("UPDATE things SET number = number + 1 WHERE id = 2", &[]).await
                    })
                })
                .await
                .unwrap();
            }
        }
    });
    while !moving.is_finished() {
        let sum = db
            .read(|tx| {
                Box::pin(async move {
                    let of = "SELECT number FROM things WHERE id = $1";
                    let one = tx.row(of, &values![1_i64], |row| row.int(0)).await?;
                    let other = tx.row(of, &values![2_i64], |row| row.int(0)).await?;
                    Ok(one.unwrap() + other.unwrap())
                })
            })
            .await;
        assert_eq!(sum, Ok(1_000));
    }
    moving.await.unwrap();
}

async fn the_generation_tells_of_others(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let generation = async || db.write(|tx| Box::pin(async move { Ok(tx.generation()) })).await.unwrap();
    let first = generation().await;
    insert(&db, 1).await.unwrap();
    count(&db).await;
    let second = generation().await;
    match db.engine() {
        Engine::Sqlite => assert_eq!(first, second),
        Engine::Postgres => assert!(first < second),
    }
}

async fn the_epoch_lasts(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    db.ping().await.unwrap();
    let first = db.epoch();
    assert!(first < 1 << 63);
    let next = db.new_epoch().await.unwrap();
    assert_ne!(next, first);
    assert_eq!(db.epoch(), next);
    db.close().await;
    let again = place.open(&[SCHEMA]).await;
    if place.url == "sqlite::memory:" {
        assert!(again.epoch() != first && again.epoch() != next);
    } else {
        assert_eq!(again.epoch(), next);
    }
}

async fn new_steps_are_taken_and_newer_schemas_refused(place: Place) {
    const LATER: Migrations = Migrations {
        service: "test",
        steps: &[
            SCHEMA.steps[0],
            Migration { number: 2, name: "more", sqlite: "CREATE TABLE more (n BIGINT)", postgres: "CREATE TABLE more (n BIGINT)" },
        ],
    };
    const BROKEN: Migrations = Migrations {
        service: "test",
        steps: &[
            LATER.steps[0],
            LATER.steps[1],
            Migration {
                number: 3,
                name: "broken",
                sqlite: "CREATE TABLE half (n BIGINT); SELECT * FROM nowhere",
                postgres: "CREATE TABLE half (n BIGINT); SELECT * FROM nowhere",
            },
        ],
    };
    if place.url == "sqlite::memory:" {
        let outcome = place.try_open(&[BROKEN], Access::Server).await.map(|_| ());
        assert!(matches!(outcome, Err(OpenError::Migration { number: 3, .. })), "{outcome:?}");
        return;
    }
    let db = place.open(&[SCHEMA]).await;
    insert(&db, 1).await.unwrap();
    db.close().await;

    let outcome = place.try_open(&[LATER], Access::ReadOnly).await.map(|_| ());
    assert!(matches!(outcome, Err(OpenError::Older { found: 1, needed: 2, .. })), "{outcome:?}");
    // A step that fails leaves the database as it was before that step.
    let outcome = place.try_open(&[BROKEN], Access::Server).await.map(|_| ());
    assert!(matches!(outcome, Err(OpenError::Migration { number: 3, .. })), "{outcome:?}");
    let db = place.open(&[LATER]).await;
    assert_eq!(count(&db).await, 1);
    db.write(|tx| Box::pin(async move { tx.execute("INSERT INTO more (n) VALUES (1)", &[]).await })).await.unwrap();
    let half = db.read(|tx| Box::pin(async move { tx.rows("SELECT n FROM half", &[], |row| row.int(0)).await })).await;
    assert!(half.is_err(), "half a step stayed");
    db.close().await;

    let outcome = place.try_open(&[SCHEMA], Access::Server).await.map(|_| ());
    assert!(matches!(outcome, Err(OpenError::Newer { found: 2, known: 1, .. })), "{outcome:?}");
    let read_only = place.try_open(&[LATER], Access::ReadOnly).await.unwrap();
    assert_eq!(count(&read_only).await, 1);
    assert_eq!(read_only.epoch(), db.epoch());
    assert!(matches!(insert(&read_only, 9).await, Err(Error::Failed(_))));
}

async fn closing_finishes_what_waits(place: Place) {
    let db = place.open(&[SCHEMA]).await;
    let writes = futures_util::future::join_all((0..20).map(|id| insert(&db, id))).await;
    assert!(writes.iter().all(Result::is_ok), "{writes:?}");
    db.close().await;
    db.close().await;
    assert!(matches!(insert(&db, 99).await, Err(Error::Busy(_))));
    assert!(matches!(db.ping().await, Err(Error::Busy(_))));
}

#[tokio::test]
async fn a_lost_connection_is_busy_and_replaced() {
    let place = Place::postgres();
    let db = place.open(&[SCHEMA]).await;
    for _ in 0..3 {
        let outcome = db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(INSERT, &values![1_i64, 0_i64, "", b""]).await?;
                    tx.execute("SELECT pg_terminate_backend(pg_backend_pid())", &[]).await
                })
            })
            .await;
        assert!(matches!(&outcome, Err(Error::Busy(_))), "{outcome:?}");
        assert_eq!(count(&db).await, 0);
    }
    drop(place);
    assert!(matches!(insert(&db, 1).await, Err(Error::Busy(_))));
}
