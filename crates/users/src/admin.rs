//! What `guild user …` does to a database, beside a server that may be running over it: that one notices within a second, and cuts the
//! sockets of revoked tokens. The rules are those of the service: a changed password and a disabled user revoke all tokens.

use crate::hashing::hash_here;
use crate::settings::HashingSettings;
use crate::store::{self, NewUser, Store};
use contract::{DisplayName, NewDisplayName, Password, Time, Username};
use db::Db;
use std::fmt;

/// A user, as an administrator sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub username: Username,
    /// The name that is shown.
    pub display_name: DisplayName,
    /// When the user was first seen.
    pub created_at: Time,
    /// Whether the user may not come in.
    pub disabled: bool,
    /// Whether the user can log in by password.
    pub has_password: bool,
    /// Whether the user is a host application's, known by its tokens.
    pub from_host: bool,
}

/// Why an administrator's wish was not fulfilled: a line to be shown as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self(error.to_string())
    }
}

/// Creates a user with a password. The display name is the username unless one is given.
///
/// # Errors
/// The name is taken or reserved, or the database says no.
pub async fn add(db: &Db, username: Username, password: Password, display_name: Option<NewDisplayName>, now: Time) -> Result<(), Error> {
    let new = NewUser {
        display_name: display_name.map(Into::into),
        ..NewUser::new(username.clone(), now).map_err(|refusal| Error(refusal.detail))?
    };
    let new = NewUser { password: Some(hashed(password).await?), ..new };
    if Store::new(db.clone()).create(new, None).await? { Ok(()) } else { Err(Error(format!("there is a user {username} already"))) }
}

/// Sets a user's password and revokes all of their tokens. A user who had none can log in by it from now on.
///
/// # Errors
/// There is no such user, it is a host application's, or the database says no.
pub async fn set_password(db: &Db, username: &Username, password: Password) -> Result<(), Error> {
    let account = find(db, username).await?;
    if account.origin.is_some() {
        return Err(Error(format!("{username} comes in by tokens of the host application, and has no password here")));
    }
    let hashed = hashed(password).await?;
    Store::new(db.clone()).set_password(account.user.id, None, hashed, None).await?;
    Ok(())
}

/// Keeps a user out, and revokes all of their tokens. Their messages stay.
///
/// # Errors
/// There is no such user, or the database says no.
pub async fn disable(db: &Db, username: &Username, now: Time) -> Result<(), Error> {
    let account = find(db, username).await?;
    Store::new(db.clone()).set_disabled(account.user.id, Some(now)).await?;
    Ok(())
}

/// Lets a disabled user in again, by a new login.
///
/// # Errors
/// There is no such user, or the database says no.
pub async fn enable(db: &Db, username: &Username) -> Result<(), Error> {
    let account = find(db, username).await?;
    Store::new(db.clone()).set_disabled(account.user.id, None).await?;
    Ok(())
}

/// Up to `limit` users after the username `after` (from the first where it is empty), by username.
///
/// # Errors
/// The database says no.
pub async fn list(db: &Db, after: &str, limit: u16) -> Result<Vec<Account>, Error> {
    let accounts = Store::new(db.clone()).accounts(after, i64::from(limit)).await?;
    Ok(accounts.into_iter().map(shown).collect())
}

fn shown(account: store::Account) -> Account {
    Account {
        username: account.user.username,
        display_name: account.user.display_name,
        created_at: account.user.created_at,
        disabled: account.disabled,
        has_password: account.password.is_some(),
        from_host: account.origin.is_some(),
    }
}

async fn find(db: &Db, username: &Username) -> Result<store::Account, Error> {
    let account = Store::new(db.clone()).account_by_name(username).await?;
    account.ok_or_else(|| Error(format!("there is no user {username}; `guild user list` shows all")))
}

async fn hashed(password: Password) -> Result<String, Error> {
    let hash = tokio::task::spawn_blocking(move || hash_here(password.as_str(), HashingSettings::default())).await;
    hash.map_err(|error| Error(error.to_string()))?.map_err(Error)
}
