//! How services reach each other: calls (one question, one answer) and hints (told to whoever listens, best effort).
//!
//! [`Bus::serve`] registers what a service answers, one line a call, like a router. [`Bus::ask`] asks, and cannot tell whether the
//! service is in this process. [`Bus::publish`] and [`Bus::subscribe`] are for hints.
//!
//! Everything is near today: a call is a method call, a hint a shared pointer. With [`Bus::encoding`] every call, answer and hint
//! goes through its bytes and back, as it will between processes, so that the tests prove that each of them can.
//! The bus knows nothing of users, rooms or messages.

mod calls;
mod hints;

pub use hints::{Heard, Subscription};

use contract::hint::Hint;
use contract::{Answer, Call, Caller, Refusal};
use std::sync::Arc;

/// A handle to the bus; cheap to clone.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    encode: bool,
    calls: calls::Registry,
    hints: hints::Topics,
}

impl Bus {
    /// A bus within this process.
    pub fn near() -> Self {
        Self::new(false)
    }

    /// A bus within this process on which everything goes through its bytes: JSON, as between processes. For tests.
    pub fn encoding() -> Self {
        Self::new(true)
    }

    fn new(encode: bool) -> Self {
        Self(Arc::new(Inner { encode, calls: calls::Registry::default(), hints: hints::Topics::default() }))
    }

    /// From now on `service` answers the call `C`. A second registration of the same call replaces the first.
    pub fn serve<C: Call, S: Answer<C>>(&self, service: &Arc<S>) -> &Self {
        self.0.calls.register::<C, S>(Arc::clone(service));
        self
    }

    /// Asks whichever service answers `C`.
    ///
    /// # Errors
    /// The service's refusal; `busy` when nobody answers this call.
    pub async fn ask<C: Call>(&self, who: &Caller, call: C) -> Result<C::Reply, Refusal> {
        match self.0.calls.find(C::SUBJECT) {
            None => Err(Refusal::busy(format!("nobody answers {} at the moment; try again", C::SUBJECT))),
            Some(service) if self.0.encode => service.ask_through_bytes(who, &call).await,
            Some(service) => service.ask(who, call).await,
        }
    }

    /// Tells whoever listens. Never waits and never fails: a hint may be lost.
    pub fn publish<H: Hint>(&self, hint: H) {
        let hint = if self.0.encode { hints::through_bytes(hint) } else { Some(hint) };
        if let Some(hint) = hint {
            self.0.hints.publish(hint);
        }
    }

    /// Listens to hints of one kind, from now on.
    pub fn subscribe<H: Hint>(&self) -> Subscription<H> {
        self.0.hints.subscribe()
    }
}
