//! Looks up who a credential belongs to. Every connection and every call begins here, and when many clients reconnect, many at once.

use super::Store;
use super::tokens::{TokenHolder, denied_each, holders};
use super::user_columns;
use super::users::{Account, account, account_by};
use crate::token::Hash;
use contract::{TokenId, Username};
use db::{Error, values};

/// What a client shows to prove who it is: one of our tokens, one of a host application, or in `open` mode a username alone.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// The hash of one of our tokens.
    Token(Hash),
    /// A host application's token, which may have been logged out, and the origin of the user whom it names.
    Foreign { token: TokenId, origin: String },
    /// A username.
    Username(Username),
}

/// Who a [`Credential`] belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// No known user.
    Unknown,
    /// Nobody any more: this token was logged out.
    LoggedOut,
    /// The holder of one of our tokens, unless disabled.
    Holder(TokenHolder),
    /// An account.
    Account(Account),
}

impl Store {
    /// Who these belong to, in their order. All share one snapshot and a fixed number of round trips.
    pub(crate) async fn look_up(&self, credentials: Vec<Credential>) -> Result<Vec<Identity>, Error> {
        self.db
            .read(|tx| {
                Box::pin(async move {
                    let mut identities = vec![Identity::Unknown; credentials.len()];
                    let (mut tokens, mut foreign, mut names) = (Kind::default(), Kind::default(), Kind::default());
                    for (at, one) in credentials.into_iter().enumerate() {
                        match one {
                            Credential::Token(hash) => tokens.push(at, hash),
                            Credential::Foreign { token, origin } => foreign.push(at, (token, origin)),
                            Credential::Username(username) => names.push(at, values![username.as_str()].to_vec()),
                        }
                    }
                    let found = holders(tx, &tokens.asked).await?;
                    tokens.answer(&mut identities, found.into_iter().map(|held| held.map(Identity::Holder)));
                    let (ids, origins): (Vec<_>, Vec<_>) =
                        foreign.asked.drain(..).map(|(token, origin)| (token, values![origin].to_vec())).unzip();
                    let denied = denied_each(tx, &ids).await?;
                    let found = tx.row_each(account_by!("u.origin = $1"), &origins, account).await?;
                    let found = denied.into_iter().zip(found);
                    let found = found.map(|(denied, found)| if denied { Some(Identity::LoggedOut) } else { found.map(Identity::Account) });
                    foreign.answer(&mut identities, found);
                    let found = tx.row_each(account_by!("u.username = $1"), &names.asked, account).await?;
                    names.answer(&mut identities, found.into_iter().map(|found| found.map(Identity::Account)));
                    Ok(identities)
                })
            })
            .await
    }
}

/// The credentials of one kind, each with its index among all.
struct Kind<T> {
    indices: Vec<usize>,
    asked: Vec<T>,
}

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Self { indices: Vec::new(), asked: Vec::new() }
    }
}

impl<T> Kind<T> {
    fn push(&mut self, at: usize, asked: T) {
        self.indices.push(at);
        self.asked.push(asked);
    }

    /// Puts the identity that was found for each at its index.
    fn answer(&self, identities: &mut [Identity], found: impl Iterator<Item = Option<Identity>>) {
        for (at, found) in self.indices.iter().zip(found) {
            if let (Some(identity), Some(found)) = (identities.get_mut(*at), found) {
                *identity = found;
            }
        }
    }
}
