//! Accounts.

use super::tokens::{NewToken, forget_tokens, insert_token};
use super::{Store, online, user, user_columns, user_ref, user_with_online};
use contract::{DisplayName, Refusal, Time, TokenId, User, UserId, UserRef, Username};
use db::{Error, Row, Tx, values};

/// A user and what only this service knows of them.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: User,
    /// The PHC string; none where nobody can log in by password.
    pub(crate) password: Option<String>,
    /// For a host application's user: its `[iss, sub]`.
    pub(crate) origin: Option<String>,
    pub(crate) disabled: bool,
}

/// A user to be created. The display name is at first the username, unless another is given.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    pub(crate) id: UserId,
    pub(crate) username: Username,
    pub(crate) display_name: Option<DisplayName>,
    pub(crate) password: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) created_at: Time,
}

impl NewUser {
    /// With a new id.
    ///
    /// # Errors
    /// `invalid_request` for a name that nobody can take ([`contract::RESERVED_USERNAMES`]).
    pub(crate) fn new(username: Username, created_at: Time) -> Result<Self, Refusal> {
        username.must_be_free_to_take()?;
        Ok(Self { id: UserId::new(), username, display_name: None, password: None, origin: None, created_at })
    }

    fn shown(&self) -> DisplayName {
        self.display_name.clone().unwrap_or_else(|| DisplayName::from(&self.username))
    }
}

impl From<&NewUser> for User {
    fn from(new: &NewUser) -> User {
        User::plain(new.id, new.username.clone(), new.shown(), new.created_at)
    }
}

pub(super) fn account(row: &Row<'_>) -> Result<Account, Error> {
    let disabled = row.maybe_int(8)?.is_some();
    Ok(Account { user: user(row)?, password: row.maybe_text(6)?, origin: row.maybe_text(7)?, disabled })
}

macro_rules! account_by {
    ($condition:literal) => {
        concat!("SELECT ", user_columns!(), ", u.password, u.origin, u.disabled_at FROM users u WHERE ", $condition)
    };
}

pub(super) use account_by;

/// A table `names` of the names in a [`side_by_side`] text, each with the spaces behind it.
macro_rules! names {
    ($list:literal) => {
        concat!(
            "WITH RECURSIVE names(n, name) AS (
                SELECT 1, substr(CAST(",
            $list,
            " AS TEXT), 1, 32)
                UNION ALL SELECT n + 32, substr(CAST(",
            $list,
            " AS TEXT), n + 32, 32) FROM names WHERE n + 32 <= length(CAST(",
            $list,
            " AS TEXT))) "
        )
    };
}

/// Usernames as one value: each filled up with spaces, of which no username has any, to the 32 characters that the longest has. Neither
/// engine's form of a list is the other's.
fn side_by_side(names: &[Username]) -> String {
    names.iter().map(|name| format!("{:32}", name.as_str())).collect()
}

impl Store {
    /// The account of this name.
    pub(crate) async fn account_by_name(&self, username: &Username) -> Result<Option<Account>, Error> {
        let values = values![username.as_str()];
        self.db.read(|tx| Box::pin(async move { tx.row(account_by!("u.username = $1"), &values, account).await })).await
    }

    /// The account with this id.
    pub(crate) async fn account_by_id(&self, id: UserId) -> Result<Option<Account>, Error> {
        let values = values![id.bytes()];
        self.db.read(|tx| Box::pin(async move { tx.row(account_by!("u.id = $1"), &values, account).await })).await
    }

    /// Up to `limit` accounts after this username (all, from the empty one), in its order.
    pub(crate) async fn accounts(&self, after: &str, limit: i64) -> Result<Vec<Account>, Error> {
        const SQL: &str = account_by!("u.username > $1 ORDER BY u.username LIMIT $2");
        let values = values![after, limit];
        self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, account).await })).await
    }

    /// Creates a user, and in the same transaction a token. False if the username or the origin is taken; then nothing happens.
    pub(crate) async fn create(&self, new: NewUser, token: Option<NewToken>) -> Result<bool, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let created = insert(tx, &new).await?;
                    if let (true, Some(token)) = (created, token) {
                        insert_token(tx, new.id, &token).await?;
                    }
                    Ok(created)
                })
            })
            .await
    }

    /// Creates each of these whose username and origin are free, in their order and in one transaction; whether each was created.
    pub(crate) async fn create_all(&self, new: Vec<NewUser>) -> Result<Vec<bool>, Error> {
        self.db
            .write(|tx| {
                Box::pin(async move {
                    let mut created = vec![false; new.len()];
                    // By username, so that two servers with the same users do not wait for each other; the sort is stable.
                    let mut ordered: Vec<_> = new.iter().zip(&mut created).collect();
                    ordered.sort_by_key(|(one, _)| &one.username);
                    for (one, done) in ordered {
                        *done = insert(tx, one).await?;
                    }
                    Ok(created)
                })
            })
            .await
    }

    /// Sets the password and revokes all tokens but `keep`. If `old` is given, it must still be the stored one, and the user must not be disabled.
    /// Otherwise, or if there is no such user, nothing happens and it is false.
    pub(crate) async fn set_password(&self, id: UserId, old: Option<String>, new: String, keep: Option<TokenId>) -> Result<bool, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let set = match old {
                        Some(old) => {
                            const SQL: &str = "UPDATE users SET password = $3 WHERE id = $1 AND password = $2 AND disabled_at IS NULL";
                            tx.execute(SQL, &values![id.bytes(), old, new]).await?
                        }
                        None => tx.execute("UPDATE users SET password = $2 WHERE id = $1", &values![id.bytes(), new]).await?,
                    };
                    if set > 0 {
                        forget_tokens(tx, id, keep).await?;
                    }
                    Ok(set > 0)
                })
            })
            .await
    }

    /// Disables a user from `at` on and revokes all tokens, or lets them in again. False where there is no such user.
    pub(crate) async fn set_disabled(&self, id: UserId, at: Option<Time>) -> Result<bool, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let values = values![id.bytes(), at.map(|at| at.0)];
                    let set = tx.execute("UPDATE users SET disabled_at = $2 WHERE id = $1", &values).await?;
                    if at.is_some() {
                        forget_tokens(tx, id, None).await?;
                    }
                    Ok(set > 0)
                })
            })
            .await
    }

    /// One user with `online` as of `now`.
    pub(crate) async fn user(&self, username: &Username, now: Time) -> Result<Option<User>, Error> {
        const SQL: &str = concat!("SELECT ", user_columns!(), ", ", online!(), " FROM users u WHERE u.username = $2");
        let values = values![now.0, username.as_str()];
        self.db.read(|tx| Box::pin(async move { tx.row(SQL, &values, user_with_online).await })).await
    }

    /// Users whose names begin with `prefix` and come after `after`, by username, with `online` as of `now`.
    pub(crate) async fn directory(&self, prefix: &str, after: &str, limit: i64, now: Time) -> Result<Vec<User>, Error> {
        const SQL: &str = concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            online!(),
            " FROM users u WHERE u.username >= $2 AND u.username < $3 AND u.username > $4 ORDER BY u.username LIMIT $5"
        );
        // Every character of a username sorts before the tilde.
        let values = values![now.0, prefix, format!("{prefix}~"), after, limit];
        self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, user_with_online).await })).await
    }

    /// The users with these names, with `online` as of `now`; those that do not exist are left out.
    pub(crate) async fn users(&self, names: &[Username], now: Time) -> Result<Vec<User>, Error> {
        const SQL: &str = concat!(
            names!("$2"),
            "SELECT ",
            user_columns!(),
            ", ",
            online!(),
            " FROM names CROSS JOIN users u WHERE u.username = rtrim(name) ORDER BY n"
        );
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let values = values![now.0, side_by_side(names)];
        self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, user_with_online).await })).await
    }

    /// The users with these ids; those that do not exist are left out.
    pub(crate) async fn users_by_id(&self, ids: Vec<UserId>) -> Result<Vec<User>, Error> {
        // The list is the ids one after the other; the first part only tells PostgreSQL that it is bytes.
        const SQL: &str = concat!(
            "WITH RECURSIVE given(list) AS (SELECT id FROM users WHERE id IS NULL UNION ALL SELECT $1),
            ids(n, id) AS (
                SELECT 1, substr(list, 1, 16) FROM given
                UNION ALL SELECT n + 16, substr(list, n + 16, 16) FROM ids, given WHERE n + 16 <= length(list))
            SELECT ",
            user_columns!(),
            " FROM ids CROSS JOIN users u WHERE u.id = ids.id ORDER BY n"
        );
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let values = values![ids.into_iter().flat_map(UserId::bytes).collect::<Vec<u8>>()];
        self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, user).await })).await
    }

    /// The users with these names; those that do not exist are left out.
    pub(crate) async fn users_by_name(&self, names: Vec<Username>) -> Result<Vec<UserRef>, Error> {
        const SQL: &str =
            concat!(names!("$1"), "SELECT u.id, u.username FROM names CROSS JOIN users u WHERE u.username = rtrim(name) ORDER BY n");
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let values = values![side_by_side(&names)];
        self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, user_ref).await })).await
    }

    /// Whether anybody has a password.
    pub(crate) async fn holds_passwords(&self) -> Result<bool, Error> {
        const SQL: &str = "SELECT id FROM users WHERE password IS NOT NULL LIMIT 1";
        self.db.read(|tx| Box::pin(async move { Ok(tx.row(SQL, &[], |row| row.id(0)).await?.is_some()) })).await
    }
}

async fn insert(tx: &mut Tx, new: &NewUser) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO users (id, username, display_name, password, origin, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING";
    let shown = new.shown();
    let (password, origin) = (new.password.clone(), new.origin.clone());
    let values = values![new.id.bytes(), new.username.as_str(), shown.as_str(), password, origin, new.created_at.0];
    Ok(tx.execute(SQL, &values).await? > 0)
}
