//! Tokens: our own, by hash, and logged-out ones of a host application.

use super::{Store, user, user_columns};
use crate::token::{Hash, name};
use contract::{Time, TokenId, User, UserId};
use db::{Error, Row, Tx, values};

/// Held while expired rows are removed, so that two servers do not lock the same rows in different orders. `GILDSWEE`.
const SWEEP: i64 = 0x4749_4c44_5357_4545;

/// How many rows are removed in one transaction.
const AT_ONCE: i64 = 2_000;

/// A token to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewToken {
    pub(crate) hash: Hash,
    pub(crate) created_at: Time,
    pub(crate) expires_at: Time,
}

/// The owner of a stored token.
#[derive(Clone, Debug)]
pub(crate) struct TokenHolder {
    pub(crate) user: User,
    pub(crate) expires_at: Time,
    pub(crate) has_password: bool,
}

/// The state of a session, from which follows whether it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionState {
    /// The user exists and is not disabled.
    pub(crate) user_enabled: bool,
    /// The user is a host application's.
    pub(crate) from_host: bool,
    /// The token is one of ours and was not revoked.
    pub(crate) stored: bool,
    /// The token is a host application's and was logged out.
    pub(crate) logged_out: bool,
}

impl Store {
    /// Gives a user a token, provided that the password is still `password` and the user not disabled; else false.
    pub(crate) async fn add_token(&self, id: UserId, password: Option<String>, token: NewToken) -> Result<bool, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    // This changes nothing but locks the row, so that a concurrent change of the password revokes this token too.
                    let same = match password {
                        Some(password) => {
                            const SQL: &str =
                                "UPDATE users SET password = password WHERE id = $1 AND password = $2 AND disabled_at IS NULL";
                            tx.execute(SQL, &values![id.bytes(), password]).await?
                        }
                        None => {
                            const SQL: &str =
                                "UPDATE users SET password = password WHERE id = $1 AND password IS NULL AND disabled_at IS NULL";
                            tx.execute(SQL, &values![id.bytes()]).await?
                        }
                    };
                    if same > 0 {
                        insert_token(tx, id, &token).await?;
                    }
                    Ok(same > 0)
                })
            })
            .await
    }

    /// Revokes one of our tokens; false where it is none.
    pub(crate) async fn remove_token(&self, id: TokenId) -> Result<bool, Error> {
        let values = values![id.bytes()];
        self.db.write(|tx| Box::pin(async move { Ok(tx.execute("DELETE FROM tokens WHERE id = $1", &values).await? > 0) })).await
    }

    /// Denies a host application's token until it expires.
    pub(crate) async fn deny_jwt(&self, id: TokenId, expires_at: Time) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO revoked_jwts (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let values = values![id.bytes(), expires_at.0];
        self.db.write(|tx| Box::pin(async move { tx.execute(SQL, &values).await.map(|_| ()) })).await
    }

    /// The state of each of these sessions, in their order.
    pub(crate) async fn session_states(&self, sessions: Vec<(TokenId, UserId)>) -> Result<Vec<SessionState>, Error> {
        const USER: &str = "SELECT CAST(CASE WHEN origin IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM users
            WHERE id = $1 AND disabled_at IS NULL";
        const TOKEN: &str = "SELECT expires_at FROM tokens WHERE id = $1 AND user_id = $2";
        self.db
            .read(|tx| {
                Box::pin(async move {
                    let users: Vec<_> = sessions.iter().map(|(_, user)| values![user.bytes()].to_vec()).collect();
                    let tokens: Vec<_> = sessions.iter().map(|(token, user)| values![token.bytes(), user.bytes()].to_vec()).collect();
                    let ids: Vec<_> = sessions.iter().map(|(token, _)| *token).collect();
                    let from_host = tx.row_each(USER, &users, |row| Ok(row.int(0)? != 0)).await?;
                    let stored = tx.row_each(TOKEN, &tokens, |row| row.int(0)).await?;
                    let denied = denied_each(tx, &ids).await?;
                    let state = |((from_host, stored), denied): ((Option<bool>, Option<i64>), bool)| SessionState {
                        user_enabled: from_host.is_some(),
                        from_host: from_host == Some(true),
                        stored: stored.is_some(),
                        logged_out: denied && stored.is_none(),
                    };
                    Ok(from_host.into_iter().zip(stored).zip(denied).map(state).collect())
                })
            })
            .await
    }

    /// Removes expired rows, some in each transaction, so that other writes do not wait long. Answers how many.
    pub(crate) async fn remove_expired(&self, now: Time) -> Result<u64, Error> {
        const TOKENS: &str = "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires_at <= $1 LIMIT $2)";
        const DENIED: &str = "DELETE FROM revoked_jwts WHERE id IN (SELECT id FROM revoked_jwts WHERE expires_at <= $1 LIMIT $2)";
        let mut removed = 0;
        for sql in [TOKENS, DENIED] {
            loop {
                let values = values![now.0, AT_ONCE];
                let some = self
                    .db
                    .write(move |tx| {
                        Box::pin(async move {
                            tx.lock(SWEEP).await?;
                            tx.execute(sql, &values).await
                        })
                    })
                    .await?;
                removed += some;
                if some < AT_ONCE.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// The holder of each of these tokens, unless the user is disabled.
pub(super) async fn holders(tx: &mut Tx, hashes: &[Hash]) -> Result<Vec<Option<TokenHolder>>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        ", t.expires_at, CAST(CASE WHEN u.password IS NULL THEN 0 ELSE 1 END AS BIGINT)
        FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1 AND u.disabled_at IS NULL"
    );
    let held = |row: &Row<'_>| Ok(TokenHolder { user: user(row)?, expires_at: Time(row.int(6)?), has_password: row.int(7)? != 0 });
    tx.row_each(SQL, &hashes.iter().map(|hash| values![*hash].to_vec()).collect::<Vec<_>>(), held).await
}

/// Whether each of these tokens of a host application was logged out.
pub(super) async fn denied_each(tx: &mut Tx, ids: &[TokenId]) -> Result<Vec<bool>, Error> {
    let each: Vec<_> = ids.iter().map(|id| values![id.bytes()].to_vec()).collect();
    let found = tx.row_each("SELECT expires_at FROM revoked_jwts WHERE id = $1", &each, |row| row.int(0)).await?;
    Ok(found.into_iter().map(|found| found.is_some()).collect())
}

pub(super) async fn insert_token(tx: &mut Tx, user: UserId, token: &NewToken) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO tokens (hash, id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    let values = values![token.hash, name(&token.hash).bytes(), user.bytes(), token.created_at.0, token.expires_at.0];
    tx.execute(SQL, &values).await.map(|_| ())
}

pub(super) async fn forget_tokens(tx: &mut Tx, user: UserId, keep: Option<TokenId>) -> Result<(), Error> {
    let forgotten = match keep {
        Some(keep) => tx.execute("DELETE FROM tokens WHERE user_id = $1 AND id <> $2", &values![user.bytes(), keep.bytes()]).await,
        None => tx.execute("DELETE FROM tokens WHERE user_id = $1", &values![user.bytes()]).await,
    };
    forgotten.map(|_| ())
}
