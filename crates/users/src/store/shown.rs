//! Who shows up: every connection and every call begins here, and in a storm of reconnecting clients many do at once.

use super::Store;
use super::tokens::{Held, denied_each, holders};
use super::user_columns;
use super::users::{Account, account, account_by};
use crate::token::Hash;
use contract::{TokenId, Username};
use db::{Error, values};

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
    /// Who these are, in their order; one snapshot for all, and as many ways to the database for a storm of them as for one.
    pub(crate) async fn look_up(&self, shown: Vec<Shown>) -> Result<Vec<Seen>, Error> {
        self.db
            .read(|tx| {
                Box::pin(async move {
                    let mut seen = vec![Seen::Nobody; shown.len()];
                    let (mut tokens, mut foreign, mut names) = (Kind::default(), Kind::default(), Kind::default());
                    for (at, one) in shown.into_iter().enumerate() {
                        match one {
                            Shown::Token(hash) => tokens.push(at, hash),
                            Shown::Foreign { token, origin } => foreign.push(at, (token, origin)),
                            Shown::Username(username) => names.push(at, values![username.as_str()].to_vec()),
                        }
                    }
                    let found = holders(tx, &tokens.asked).await?;
                    tokens.answer(&mut seen, found.into_iter().map(|held| held.map(Seen::Holder)));
                    let (ids, origins): (Vec<_>, Vec<_>) =
                        foreign.asked.drain(..).map(|(token, origin)| (token, values![origin].to_vec())).unzip();
                    let denied = denied_each(tx, &ids).await?;
                    let found = tx.row_each(account_by!("u.origin = $1"), &origins, account).await?;
                    let found = denied.into_iter().zip(found);
                    let found = found.map(|(denied, found)| if denied { Some(Seen::Denied) } else { found.map(Seen::Account) });
                    foreign.answer(&mut seen, found);
                    let found = tx.row_each(account_by!("u.username = $1"), &names.asked, account).await?;
                    names.answer(&mut seen, found.into_iter().map(|found| found.map(Seen::Account)));
                    Ok(seen)
                })
            })
            .await
    }
}

/// Those that were shown in one way, with their places among all.
struct Kind<T> {
    places: Vec<usize>,
    asked: Vec<T>,
}

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Self { places: Vec::new(), asked: Vec::new() }
    }
}

impl<T> Kind<T> {
    fn push(&mut self, at: usize, asked: T) {
        self.places.push(at);
        self.asked.push(asked);
    }

    /// Puts what was found of each at its place.
    fn answer(&self, seen: &mut [Seen], found: impl Iterator<Item = Option<Seen>>) {
        for (at, found) in self.places.iter().zip(found) {
            if let (Some(place), Some(found)) = (seen.get_mut(*at), found) {
                *place = found;
            }
        }
    }
}
