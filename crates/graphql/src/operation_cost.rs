//! What an operation costs its user beyond the one read that its request has paid: the more values its answer could hold, the more reads.
//! Each event of a subscription is an operation of its own, with its own bounds and its own price.

use crate::refuse::server_error;
use crate::request_context::RequestContext;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextSubscribe, NextValidation};
use async_graphql::{Data, Response, ServerError, ValidationResult, async_trait};
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Values that one read pays for: the 50 rows of a page, with four fields each.
const VALUES_PER_READ: usize = 200;

/// Charges every operation once its complexity is known, before any service is asked; and each event of a subscription when a service is
/// asked for it.
pub(crate) struct OperationCost;

impl ExtensionFactory for OperationCost {
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
    /// Called first.
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
        let reads = u32::try_from(valid.complexity / VALUES_PER_READ).unwrap_or(u32::MAX);
        self.reads.store(reads, Ordering::Relaxed);
        // Without a user no service is asked.
        if reads > 0
            && let Ok(context) = ctx.data::<RequestContext>()
        {
            context.pay_more(reads).map_err(|refusal| vec![server_error(&refusal)])?;
        }
        Ok(valid)
    }

    /// Called once for a query, and for each event of a subscription.
    async fn execute(&self, ctx: &ExtensionContext<'_>, operation_name: Option<&str>, next: NextExecute<'_>) -> Response {
        let Some(context) = ctx.data_opt::<RequestContext>().filter(|_| self.subscribes.load(Ordering::Relaxed)) else {
            return next.run(ctx, operation_name).await;
        };
        let context = context.for_event(self.reads.load(Ordering::Relaxed).saturating_add(1));
        let mut data = Data::default();
        data.insert(context.clone());
        context.checked_event(next.run_with_data(ctx, operation_name, data).await)
    }
}

#[cfg(test)]
#[path = "operation_cost_tests.rs"]
mod tests;
