//! Accounts, tokens and presence in the database. Each statement is written once and runs on both engines (see the crate `db`).
//!
//! Names that SQL has taken for itself (`user`) are written out: `user_id`.

mod credential;
mod migrations;
mod presence;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

pub(crate) use credential::{Credential, Identity};
pub use migrations::MIGRATIONS;
pub(crate) use presence::Change;
pub(crate) use tokens::NewToken;
pub(crate) use users::{Account, NewUser};

use contract::{DisplayName, Time, User, UserId, Username};
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
        "u.id, u.username, u.display_name, u.created_at"
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

/// The user in a row's first four columns.
fn user(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        id: UserId::from_bytes(row.id(0)?),
        username: username(row, 1)?,
        display_name: DisplayName::try_from(row.text(2)?).map_err(Error::Failed)?,
        created_at: Time(row.int(3)?),
        online: None,
    })
}

/// The same, with [`online!`] in the fifth.
fn user_with_online(row: &Row<'_>) -> Result<User, Error> {
    Ok(User { online: Some(row.int(4)? != 0), ..user(row)? })
}

fn username(row: &Row<'_>, column: usize) -> Result<Username, Error> {
    Username::try_from(row.text(column)?).map_err(Error::Failed)
}
