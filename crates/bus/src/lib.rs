//! How services reach each other: calls (one question, one answer) and hints (to all listeners, best effort).
//!
//! [`Bus::serve`] registers what a service answers, one line a call, like a router. [`Bus::ask`] asks, and cannot tell whether the
//! service is in this process. [`Bus::publish`] and [`Bus::subscribe`] are for hints.
//!
//! Within a process a call is a method call, a hint a shared pointer. With [`Bus::connected`] it also reaches other processes, over
//! NATS (`nats`): calls that no service here answers go there, and hints go to both. With [`Bus::encoding`] everything is encoded and decoded
//! as between processes, so that the tests prove that it can be. The bus knows nothing of users, rooms or messages.

mod calls;
mod hints;
mod nats;

pub use hints::{Heard, Subscription};
pub use nats::{CannotConnect, NatsSettings, Servers};

use bytes::Bytes;
use contract::hint::Hint;
use contract::{Answer, Call, Caller, Refusal};
use futures_util::future::BoxFuture;
use nats::Nats;
use std::sync::Arc;
use vital::Vital;

/// A handle to the bus; cheap to clone.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    encode: bool,
    calls: Arc<calls::Registry>,
    hints: Arc<hints::Topics>,
    nats: Option<Arc<Nats>>,
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
        Self(Arc::new(Inner { encode, calls: Arc::default(), hints: Arc::default(), nats: None }))
    }

    /// A bus that reaches other processes over NATS. It connects in the background, and again whenever the connection is lost;
    /// until then and meanwhile, what is not in this process is `busy`. It waits up to a second for the first
    /// connection. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// A file that the settings name cannot be read: a line that names the setting. A server that is not there is no error.
    pub fn connected(settings: NatsSettings) -> BoxFuture<'static, Result<Self, CannotConnect>> {
        Box::pin(async move {
            let (calls, hints) = (Arc::default(), Arc::<hints::Topics>::default());
            let nats = Nats::start(settings, Arc::clone(&calls), Arc::clone(&hints)).await?;
            Ok(Self(Arc::new(Inner { encode: false, calls, hints, nats: Some(nats) })))
        })
    }

    /// From now on `service` answers the call `C`. A second registration of the same call replaces the first.
    pub fn serve<C: Call, S: Answer<C>>(&self, service: &Arc<S>) -> &Self {
        self.0.calls.register::<C, S>(Arc::clone(service));
        if let Some(nats) = &self.0.nats {
            nats.take(C::SUBJECT);
        }
        self
    }

    /// Asks whichever service answers `C`: in this process, where there is one, else over NATS.
    ///
    /// # Errors
    /// The service's refusal; `busy` when nobody answers this call, or not in time (5 s), or NATS is away.
    pub async fn ask<C: Call>(&self, who: &Caller, call: C) -> Result<C::Reply, Refusal> {
        match self.0.calls.find(C::SUBJECT) {
            Some(service) if !self.0.encode => service.ask(who, call).await,
            service => {
                let request = calls::request_bytes(who, &call)?;
                let answer = self.ask_in_bytes(service, C::SUBJECT, call.in_order(), request.into()).await?;
                calls::read_answer::<C>(&answer)
            }
        }
    }

    /// Boxed, so that the way through NATS is compiled in this crate and not again in each that asks.
    fn ask_in_bytes(
        &self,
        service: Option<Arc<calls::Service>>,
        subject: &'static str,
        key: Option<[u8; 16]>,
        request: Bytes,
    ) -> BoxFuture<'_, Result<Bytes, Refusal>> {
        Box::pin(async move {
            match (service, &self.0.nats) {
                (Some(service), _) => Ok(service.answer_bytes(request).await.into()),
                (None, Some(nats)) => nats.ask(subject, key, request).await,
                (None, None) => Err(nobody(subject)),
            }
        })
    }

    /// Publishes a hint to all listeners. It never waits and never fails: a hint may be lost.
    pub fn publish<H: Hint>(&self, hint: H) {
        if let Some(nats) = &self.0.nats {
            nats.publish(&hint);
        }
        let hint = if self.0.encode { hints::through_bytes(hint) } else { Some(hint) };
        if let Some(hint) = hint {
            self.0.hints.publish(hint);
        }
    }

    /// Listens to hints of one kind, from now on. After NATS was away, or hints were dropped on the way, [`Heard::Missed`] comes.
    pub fn subscribe<H: Hint>(&self) -> Subscription<H> {
        let subscription = self.0.hints.subscribe();
        if let Some(nats) = &self.0.nats {
            nats.listen::<H>();
        }
        subscription
    }

    /// What keeps this bus from reaching others, as a sentence; `None` when nothing does.
    pub fn missing(&self) -> Option<&'static str> {
        self.0.nats.as_ref().filter(|nats| !nats.is_connected()).map(|_| "NATS cannot be reached")
    }

    /// What this bus cannot do without.
    pub fn vital(&self) -> Vital {
        self.0.nats.as_ref().map_or_else(Vital::new, |nats| nats.vital.clone())
    }

    /// Takes no more calls from other processes: those that come from now on go to others who answer them. Calls within this
    /// process, and asking, go on.
    pub fn stop_taking(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(nats) = &self.0.nats {
                nats.stop_taking().await;
            }
        })
    }

    /// Waits until the calls of other processes that had been taken are answered.
    pub async fn answered(&self) {
        if let Some(nats) = &self.0.nats {
            nats.answered().await;
        }
    }

    /// Sends what waits to be sent, and ends the connection to NATS.
    pub fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(nats) = &self.0.nats {
                nats.close().await;
            }
        })
    }
}

fn nobody(subject: &str) -> Refusal {
    Refusal::busy(format!("nobody answers {subject} at the moment; try again"))
}
