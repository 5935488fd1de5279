//! Forgetting what was removed long ago. A removed value leaves a row, so that whoever was away hears of it; these rows have a bound.

use crate::service::Messages;
use crate::store::user_state;
use contract::UserId;

/// Past so many rows of a user, with and without values, the longest removed ones go.
const MOST: i64 = 10_000;

/// So many more go than must, so that it is not done for every new key.
const MORE: i64 = 1_000;

impl Messages {
    /// Forgets the longest removed values of a user who has so many rows, if these are too many. It is done after the commit, in a transaction of
    /// its own. Where it fails, the next new key tries again.
    pub(super) async fn forget_removed(&self, owner: UserId, rows: i64) {
        if rows <= MOST {
            return;
        }
        let count = rows - MOST + MORE;
        let forgotten = self.db.write(move |tx| Box::pin(async move { user_state::forget_removed(tx, owner, count).await })).await;
        if let Err(error) = forgotten {
            tracing::warn!(%owner, %error, "removed values could not be forgotten");
        }
    }
}
