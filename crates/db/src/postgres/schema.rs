//! Opening a database: checks the server's version, makes the tables, reads the epoch.

use deadpool_postgres::Object;

use super::session::explain;
use crate::access::Access;
use crate::error::Error;
use crate::migrations::{self, FIRST_EPOCH, Migration, NOTE_STEP, READ_EPOCH, READ_STEPS, STEPS_TABLE};

/// The oldest server that this program is tested with, as PostgreSQL counts.
const OLDEST: i64 = 150_000;

/// One program at a time takes steps of the schema. The number is `GILD` again, which no other lock here has. A step may take its time.
const STEP_BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(1195985988)";

/// Refuses a server that is too old, and a database whose texts are not UTF-8.
pub(super) async fn suits(connection: &Object) -> Result<(), String> {
    let sql = "SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_version'), current_setting('server_encoding')";
    let row = connection.query_one(sql, &[]).await.map_err(|error| explain(&error).to_string())?;
    let read = || Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?));
    let (number, version, encoding) = read().map_err(|error: tokio_postgres::Error| explain(&error).to_string())?;
    if number < OLDEST {
        return Err(format!("the server is PostgreSQL {version}, guild needs 15 or newer"));
    }
    if encoding != "UTF8" {
        return Err(format!("its encoding is {encoding}: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"));
    }
    Ok(())
}

/// The steps that the database has taken; none if it is empty.
pub(super) async fn taken(connection: &Object) -> Result<Vec<(String, i64)>, Error> {
    let noted = connection.query_one("SELECT CAST(to_regclass('schema_steps') AS TEXT)", &[]).await.map_err(|error| explain(&error))?;
    if noted.try_get::<_, Option<String>>(0).map_err(|error| explain(&error))?.is_none() {
        return Ok(Vec::new());
    }
    let rows = connection.query(READ_STEPS, &[]).await.map_err(|error| explain(&error))?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, _>>().map_err(|e| explain(&e))
}

/// Takes a step unless it is taken, in a transaction of its own.
pub(super) async fn take(connection: &Object, service: &str, step: &Migration) -> Result<(), Error> {
    let within = async {
        connection.batch_execute(STEP_BEGIN).await?;
        connection.batch_execute(STEPS_TABLE).await?;
        let highest = connection.query("SELECT MAX(number) FROM schema_steps WHERE service = $1", &[&service]).await?;
        let highest: Option<i64> = highest.first().map_or(Ok(None), |row| row.try_get(0))?;
        if highest.is_none_or(|highest| highest < step.number) {
            connection.batch_execute(step.postgres).await?;
            connection.execute(NOTE_STEP, &[&service, &step.number, &step.name]).await?;
            tracing::info!(service, number = step.number, step.name, "made or changed the tables");
        }
        connection.batch_execute("COMMIT").await
    };
    match within.await {
        Ok(()) => Ok(()),
        Err(error) => {
            // Whether or not this succeeds, the opening fails and the connection is closed.
            let _ = connection.batch_execute("ROLLBACK").await;
            Err(explain(&error))
        }
    }
}

/// The database's epoch; a new database gets one.
pub(super) async fn epoch(connection: &Object, access: Access) -> Result<u64, Error> {
    if access != Access::ReadOnly {
        let first = migrations::random_epoch().map_err(Error::Failed)?.cast_signed();
        connection.execute(FIRST_EPOCH, &[&first]).await.map_err(|error| explain(&error))?;
    }
    let row = connection.query_one(READ_EPOCH, &[]).await.map_err(|error| explain(&error))?;
    row.try_get(0).map(migrations::epoch_from).map_err(|error| explain(&error))
}
