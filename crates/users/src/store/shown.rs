//! Who shows up: every connection and every call begins here, and in a storm of reconnecting clients many do at once.

use super::Store;
use super::tokens::{Held, denied, holder};
use super::user_columns;
use super::users::{Account, account, account_by};
use crate::token::Hash;
use contract::{TokenId, Username};
use db::{Error, Tx, values};

/// Somebody shows up: with one of our tokens, with one of a host application, or in `open` mode with a username alone.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// The hash of one of our tokens.
    Token(Hash),
    /// A host application's token, that may have been logged out, and whom it speaks of.
    Foreign { token: TokenId, origin: String },
    /// A username.
    Username(Username),
}

/// Whom [`Shown`] has brought.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// Nobody who is known.
    Nobody,
    /// Nobody, because this token was logged out.
    Denied,
    /// The holder of one of our tokens, unless disabled.
    Holder(Held),
    /// An account.
    Account(Account),
}

impl Store {
    /// Who these are, in their order; one snapshot for all.
    pub(crate) async fn look_up(&self, shown: Vec<Shown>) -> Result<Vec<Seen>, Error> {
        self.db
            .read(|tx| {
                Box::pin(async move {
                    let mut seen = Vec::with_capacity(shown.len());
                    for one in shown {
                        seen.push(look_up(tx, one).await?);
                    }
                    Ok(seen)
                })
            })
            .await
    }
}

async fn look_up(tx: &mut Tx, shown: Shown) -> Result<Seen, Error> {
    let found = match shown {
        Shown::Token(hash) => return Ok(holder(tx, &hash).await?.map_or(Seen::Nobody, Seen::Holder)),
        Shown::Foreign { token, .. } if denied(tx, token).await? => return Ok(Seen::Denied),
        Shown::Foreign { origin, .. } => tx.row(account_by!("u.origin = $1"), &values![origin], account).await?,
        Shown::Username(username) => tx.row(account_by!("u.username = $1"), &values![username.as_str()], account).await?,
    };
    Ok(found.map_or(Seen::Nobody, Seen::Account))
}
