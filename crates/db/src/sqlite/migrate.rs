//! Takes the steps of the schema that a database has not taken yet.

use rusqlite::{Connection, params};

use super::explain::explain;
use crate::error::{Error, OpenError};
use crate::migrations::{
    FIRST_EPOCH, Migration, Migrations, NOTE_STEP, READ_EPOCH, READ_STEPS, STEPS_TABLE, epoch_from, highest, random_epoch,
};

/// Takes every missing step, each in a transaction of its own, which looks again: a tool may be doing the same.
pub(super) fn run(connection: &Connection, schemas: &[Migrations]) -> Result<(), OpenError> {
    for schema in schemas {
        for step in schema.steps {
            let outcome = take(connection, schema.service, step);
            if !connection.is_autocommit() {
                // The step has failed and is undone; if even this fails the connection is not used again.
                let _ = connection.execute_batch("ROLLBACK");
            }
            let taken = outcome.map_err(|error| OpenError::Migration {
                service: schema.service.to_owned(),
                number: step.number,
                name: step.name.to_owned(),
                cause: explain(&error),
            })?;
            if taken {
                tracing::info!(service = schema.service, number = step.number, step.name, "made or changed the tables");
            }
        }
    }
    Ok(())
}

fn take(connection: &Connection, service: &str, step: &Migration) -> rusqlite::Result<bool> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(STEPS_TABLE)?;
    if step.number <= highest(&steps(connection)?, service) {
        connection.execute_batch("COMMIT")?;
        return Ok(false);
    }
    connection.execute_batch(step.sqlite)?;
    // Each parameter appears once and in order, which is how SQLite numbers `$n`.
    connection.execute(NOTE_STEP, params![service, step.number, step.name])?;
    connection.execute_batch("COMMIT")?;
    Ok(true)
}

fn steps(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare(READ_STEPS)?;
    let steps = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    steps.collect()
}

/// The database's epoch; a new database gets one.
pub(super) fn epoch(connection: &Connection) -> Result<u64, Error> {
    if let Ok(epoch) = read_epoch(connection) {
        return Ok(epoch);
    }
    let first = random_epoch().map_err(Error::Failed)?.cast_signed();
    connection.execute(FIRST_EPOCH, params![first]).map_err(|error| explain(&error))?;
    read_epoch(connection).map_err(|error| explain(&error))
}

/// The epoch of a database that has one.
pub(super) fn read_epoch(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(READ_EPOCH, [], |row| row.get(0)).map(epoch_from)
}
