//! The token that an operation takes out of its user's bucket: one, even if the writer tries several times to commit the operation.

use contract::UserId;
use edge::Buckets;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether an operation has taken its token. It belongs to the operation, not to one attempt to commit it.
#[derive(Default)]
pub(crate) struct RateLimitToken(AtomicBool);

impl RateLimitToken {
    /// Takes it, unless an earlier attempt has.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(crate) fn take(&self, from: &Buckets<UserId>, who: UserId) -> Result<(), Duration> {
        if !self.0.load(Ordering::Relaxed) {
            from.take(&who)?;
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Puts it back if it was taken: the operation turned out not to count.
    pub(crate) fn give_back(&self, to: &Buckets<UserId>, who: UserId) {
        if self.0.swap(false, Ordering::Relaxed) {
            to.give_back(&who);
        }
    }
}
