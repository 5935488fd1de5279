//! What users say of themselves: display name, status, metadata.

use super::{Store, failed, online, user_columns, user_with_online};
use contract::calls::users::ChangeProfile;
use contract::metadata::{USER_BYTES, changed};
use contract::{Refusal, Time, User, UserId};
use db::{Error, values};

/// What became of a change. The users have `online`.
#[derive(Debug)]
pub(crate) enum Changed {
    /// The user is this now.
    Done(User),
    /// The user was this before, too.
    Same(User),
    /// It may not be.
    Refused(Refusal),
    /// There is no such user.
    NoUser,
}

impl Store {
    /// Changes what a user says, with `online` as of `now`.
    pub(crate) async fn change_profile(&self, id: UserId, change: ChangeProfile, now: Time) -> Result<Changed, Error> {
        const LOCK: &str = "UPDATE users SET display_name = display_name WHERE id = $1";
        const READ: &str = concat!("SELECT ", user_columns!(), ", ", online!(), " FROM users u WHERE u.id = $2");
        const WRITE: &str = "UPDATE users SET display_name = $2, status = $3, metadata = $4 WHERE id = $1";
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    // This changes nothing but locks the row: two changes at once are merged one after the other.
                    tx.execute(LOCK, &values![id.bytes()]).await?;
                    let Some(before) = tx.row(READ, &values![now.0, id.bytes()], user_with_online).await? else {
                        return Ok(Changed::NoUser);
                    };
                    let after = match applied(before.clone(), change) {
                        Ok(after) => after,
                        Err(refusal) => return Ok(Changed::Refused(refusal)),
                    };
                    if after == before {
                        return Ok(Changed::Same(before));
                    }
                    let status = after.status.as_ref().map(|status| status.as_str());
                    let metadata = after.metadata.as_ref().map(serde_json::to_string).transpose().map_err(failed)?;
                    tx.execute(WRITE, &values![id.bytes(), after.display_name.as_str(), status, metadata]).await?;
                    Ok(Changed::Done(after))
                })
            })
            .await
    }
}

/// The user after a change.
fn applied(before: User, change: ChangeProfile) -> Result<User, Refusal> {
    let ChangeProfile { display_name, status, metadata } = change;
    Ok(User {
        display_name: display_name.unwrap_or(before.display_name),
        status: status.applied(before.status).filter(|status| !status.as_str().is_empty()),
        metadata: changed(before.metadata, &metadata, USER_BYTES)?,
        ..before
    })
}
