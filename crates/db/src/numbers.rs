//! Named numbers that a database keeps beside its tables. The epoch is one of them; services may keep others.

use crate::error::Error;
use crate::tx::Tx;
use crate::values;

/// The number of this name; `None` if there is none.
///
/// # Errors
/// The database's.
pub async fn number(tx: &mut Tx, name: &str) -> Result<Option<i64>, Error> {
    tx.row("SELECT value FROM meta WHERE name = $1", &values![name], |row| row.int(0)).await
}

/// Raises the number of this name to at least `value`; one that is higher already stays.
///
/// # Errors
/// The database's.
pub async fn raise(tx: &mut Tx, name: &str, value: i64) -> Result<(), Error> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value < excluded.value";
    tx.execute(sql, &values![name, value]).await.map(|_| ())
}
