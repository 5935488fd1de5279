//! What an operation costs its user beyond the one read that its request has paid: the more values its answer could hold, the more reads.
//! A subscription is answered again and again: each of its events is an operation of its own, with its own bounds and its own price.

use crate::ask::Asker;
use crate::refuse::server_error;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextSubscribe, NextValidation};
use async_graphql::{Data, Response, ServerError, ValidationResult, async_trait};
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Values that one read pays for: the 50 rows of a page, with four fields each.
const VALUES_A_READ: usize = 200;

/// Charges every operation once its complexity is known, before anything is asked of a service; and each event of a subscription as soon as
/// something is asked for it.
pub(crate) struct Charge;

impl ExtensionFactory for Charge {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Operation::default())
    }
}

/// What is known of one operation.
#[derive(Default)]
struct Operation {
    subscribes: AtomicBool,
    /// Reads for the values that one answer could hold.
    reads: AtomicU32,
}

#[async_trait::async_trait]
impl Extension for Operation {
    /// Comes before all else.
    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        stream: BoxStream<'s, Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, Response> {
        self.subscribes.store(true, Ordering::Relaxed);
        next.run(ctx, stream)
    }

    async fn validation(&self, ctx: &ExtensionContext<'_>, next: NextValidation<'_>) -> Result<ValidationResult, Vec<ServerError>> {
        let valid = next.run(ctx).await?;
        let reads = u32::try_from(valid.complexity / VALUES_A_READ).unwrap_or(u32::MAX);
        self.reads.store(reads, Ordering::Relaxed);
        // Without a user nothing is answered, and nothing asked.
        if reads > 0
            && let Ok(asker) = ctx.data::<Asker>()
        {
            asker.pay_more(reads).map_err(|refusal| vec![server_error(&refusal)])?;
        }
        Ok(valid)
    }

    /// A query is run once, a subscription for each event.
    async fn execute(&self, ctx: &ExtensionContext<'_>, operation_name: Option<&str>, next: NextExecute<'_>) -> Response {
        let Some(asker) = ctx.data_opt::<Asker>().filter(|_| self.subscribes.load(Ordering::Relaxed)) else {
            return next.run(ctx, operation_name).await;
        };
        let asker = asker.for_event(self.reads.load(Ordering::Relaxed).saturating_add(1));
        let mut data = Data::default();
        data.insert(asker.clone());
        asker.checked_event(next.run_with_data(ctx, operation_name, data).await)
    }
}

#[cfg(test)]
#[path = "charge_tests.rs"]
mod tests;
