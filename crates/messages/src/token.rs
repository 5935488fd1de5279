//! The token that an operation takes out of its user's bucket: one, however often the operation has to decide.

use contract::UserId;
use edge::Buckets;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether an operation has taken its token. It lives as long as the operation, over all attempts of the writer to commit it.
#[derive(Default)]
pub(crate) struct Token(AtomicBool);

impl Token {
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

    /// Puts it back where it was taken: what it was taken for turned out not to count.
    pub(crate) fn give_back(&self, to: &Buckets<UserId>, who: UserId) {
        if self.0.swap(false, Ordering::Relaxed) {
            to.give_back(&who);
        }
    }
}
