//! Accounts, tokens and presence in the database. Each statement is written once and runs on both engines (see the crate `db`).
//!
//! Names that SQL has taken for itself (`user`) are written out: `user_id`.

mod credential;
mod migrations;
mod presence;
mod profile;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

pub(crate) use credential::{Credential, Identity};
pub use migrations::MIGRATIONS;
pub(crate) use presence::Change;
pub(crate) use profile::Changed;
pub(crate) use tokens::NewToken;
pub(crate) use users::{Account, NewUser};

use contract::{DisplayName, Status, Time, User, UserId, UserRef, Username};
use db::{Db, Error, Row};

/// The service's tables.
#[derive(Clone)]
pub(crate) struct Store {
    db: Db,
}

impl Store {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

/// The columns that [`user`] reads, in its order, of the table `users` under the name `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.display_name, u.created_at, u.status, u.metadata"
    };
}

/// Whether the user `u` is online: at a gateway whose lease runs longer than `$1`. A `BIGINT`, 0 or 1.
macro_rules! online {
    () => {
        "CAST(CASE WHEN EXISTS (SELECT 1 FROM presence p JOIN gateways g ON g.id = p.gateway_id
            WHERE p.user_id = u.id AND g.lease_until > $1) THEN 1 ELSE 0 END AS BIGINT)"
    };
}
use {online, user_columns};

/// The user in a row's first six columns.
fn user(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        id: UserId::from_bytes(row.id(0)?),
        username: username(row, 1)?,
        display_name: DisplayName::try_from(row.text(2)?).map_err(Error::Failed)?,
        status: row.maybe_text(4)?.map(Status::try_from).transpose().map_err(Error::Failed)?,
        metadata: row.maybe_text(5)?.as_deref().map(serde_json::from_str).transpose().map_err(failed)?,
        created_at: Time(row.int(3)?),
        online: None,
    })
}

/// The same, with [`online!`] in the seventh.
fn user_with_online(row: &Row<'_>) -> Result<User, Error> {
    Ok(User { online: Some(row.int(6)? != 0), ..user(row)? })
}

fn failed(error: serde_json::Error) -> Error {
    Error::Failed(error.to_string())
}

/// The names in a row's first two columns.
fn user_ref(row: &Row<'_>) -> Result<UserRef, Error> {
    Ok(UserRef { id: UserId::from_bytes(row.id(0)?), username: username(row, 1)? })
}

fn username(row: &Row<'_>, column: usize) -> Result<Username, Error> {
    Username::try_from(row.text(column)?).map_err(Error::Failed)
}
