//! How one service asks another. A question is a struct with a constant subject and a reply type; a service answers it. Whoever asks
//! cannot tell whether the service is in this process or in another one.

use crate::{Caller, Refusal};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// A question.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// What it is called on the bus: `users.login`.
    const SUBJECT: &'static str;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// Calls of this kind with the same key are begun in the order in which they were asked by one process, each up to its first wait
    /// before the next one, also where several servers answer. `None`: in any order.
    fn in_order(&self) -> Option<[u8; 16]> {
        None
    }
}

/// Whoever can answer a question.
pub trait Answer<C: Call>: Send + Sync + 'static {
    /// Answers `call` for `who`, or refuses.
    fn answer(&self, who: &Caller, call: C) -> impl Future<Output = Result<C::Reply, Refusal>> + Send;
}
