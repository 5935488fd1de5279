//! Who answers what: a registry from a call's subject to the service, with its type forgotten.

use bytes::Bytes;
use contract::{Answer, Call, Caller, Code, Refusal};
use futures_util::future::{BoxFuture, FutureExt};
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Default)]
pub(crate) struct Registry(RwLock<HashMap<&'static str, Arc<Service>>>);

impl Registry {
    pub(crate) fn register<C: Call, S: Answer<C>>(&self, service: Arc<S>) {
        let near: Arc<dyn Near<C>> = service;
        let far = Arc::clone(&near);
        let bytes = Box::new(move |request: Bytes| {
            let near = Arc::clone(&far);
            let answer: BoxFuture<'static, Vec<u8>> = Box::pin(async move { answer_bytes(&*near, &request).await });
            answer
        });
        let service = Service { subject: C::SUBJECT, near: Box::new(near), bytes };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(C::SUBJECT, Arc::new(service));
    }

    pub(crate) fn find(&self, subject: &str) -> Option<Arc<Service>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(subject).cloned()
    }
}

/// One call's answerer, in both forms.
pub(crate) struct Service {
    subject: &'static str,
    /// An `Arc<dyn Near<C>>`.
    near: Box<dyn Any + Send + Sync>,
    bytes: Box<dyn Fn(Bytes) -> BoxFuture<'static, Vec<u8>> + Send + Sync>,
}

impl Service {
    pub(crate) async fn ask<C: Call>(&self, who: &Caller, call: C) -> Result<C::Reply, Refusal> {
        match self.near.downcast_ref::<Arc<dyn Near<C>>>() {
            Some(near) => near.answer(who, call).await,
            // Only two calls with one subject can bring this about.
            None => Err(broken(self.subject, "it is registered for another call")),
        }
    }

    /// A call as bytes, answered as bytes.
    pub(crate) fn answer_bytes(&self, request: Bytes) -> BoxFuture<'static, Vec<u8>> {
        (self.bytes)(request)
    }
}

/// [`Answer`] in a form that can be a trait object.
trait Near<C: Call>: Send + Sync {
    fn answer<'a>(&'a self, who: &'a Caller, call: C) -> BoxFuture<'a, Result<C::Reply, Refusal>>;
}

impl<C: Call, S: Answer<C>> Near<C> for S {
    fn answer<'a>(&'a self, who: &'a Caller, call: C) -> BoxFuture<'a, Result<C::Reply, Refusal>> {
        Box::pin(Answer::answer(self, who, call))
    }
}

async fn answer_bytes<C: Call>(near: &dyn Near<C>, request: &[u8]) -> Vec<u8> {
    let answer = match read::<(Caller, C)>(C::SUBJECT, request) {
        // Other calls may have come in the same request, and a panic costs its own call only.
        Ok((who, call)) => match AssertUnwindSafe(near.answer(&who, call)).catch_unwind().await {
            Ok(answer) => answer,
            Err(_) => Err(broken(C::SUBJECT, "the service panicked; the line before this one says where")),
        },
        Err(refusal) => Err(refusal),
    };
    serde_json::to_vec(&answer).unwrap_or_else(|e| {
        let refusal: Result<(), Refusal> = Err(broken(C::SUBJECT, &e.to_string()));
        serde_json::to_vec(&refusal).unwrap_or_default()
    })
}

/// A call as it goes to another process.
pub(crate) fn request_bytes<C: Call>(who: &Caller, call: &C) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(&(who, call)).map_err(|e| broken(C::SUBJECT, &e.to_string()))
}

/// An answer as it comes from another process.
pub(crate) fn read_answer<C: Call>(answer: &[u8]) -> Result<C::Reply, Refusal> {
    read::<Result<C::Reply, Refusal>>(C::SUBJECT, answer)?
}

fn read<T: DeserializeOwned>(subject: &str, bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|e| broken(subject, &e.to_string()))
}

fn broken(subject: &str, why: &str) -> Refusal {
    tracing::error!(subject, why, "a call could not be passed between services");
    Refusal::new(Code::Internal, "a call between services failed; see the log")
}

#[cfg(test)]
mod tests {
    use crate::Bus;
    use contract::{Answer, Call, Caller, Code, Refusal};
    use serde::{Deserialize, Serialize};
    use std::sync::Arc;

    #[derive(Serialize, Deserialize)]
    struct Double(i64);
    impl Call for Double {
        const SUBJECT: &'static str = "test.double";
        type Reply = i64;
    }

    struct Doubler;
    impl Answer<Double> for Doubler {
        async fn answer(&self, who: &Caller, call: Double) -> Result<i64, Refusal> {
            who.must_be_service()?;
            Ok(call.0 * 2)
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Fall;
    impl Call for Fall {
        const SUBJECT: &'static str = "test.fall";
        type Reply = ();
    }

    impl Answer<Fall> for Doubler {
        async fn answer(&self, _: &Caller, _: Fall) -> Result<(), Refusal> {
            panic!("mind the gap")
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_answer_to_its_own_call() {
        let bus = Bus::encoding();
        bus.serve::<Fall, _>(&Arc::new(Doubler)).serve::<Double, _>(&Arc::new(Doubler));
        let who = Caller::service("t");
        let (fallen, doubled) = tokio::join!(bus.ask(&who, Fall), bus.ask(&who, Double(4)));
        assert_eq!(fallen.unwrap_err().code, Code::Internal);
        assert_eq!(doubled, Ok(8));
    }

    #[tokio::test]
    async fn near_and_through_bytes_are_the_same() {
        for bus in [Bus::near(), Bus::encoding()] {
            assert_eq!(bus.ask(&Caller::service("t"), Double(4)).await.unwrap_err().code, Code::Busy);
            bus.serve::<Double, _>(&Arc::new(Doubler));
            assert_eq!(bus.ask(&Caller::service("t"), Double(4)).await, Ok(8));
            assert_eq!(bus.ask(&Caller::Anonymous, Double(4)).await.unwrap_err().code, Code::Forbidden);
        }
    }
}
