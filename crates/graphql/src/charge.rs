//! What a query costs its user beyond the one read that its request has paid: the more values its answer could hold, the more reads.

use crate::ask::Asker;
use crate::refuse::server_error;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{ServerError, ValidationResult, async_trait};
use std::sync::Arc;

/// Values that one read pays for: the 50 rows of a page, with four fields each.
const VALUES_A_READ: usize = 200;

/// Charges every operation once its complexity is known, before anything is asked of a service.
pub(crate) struct Charge;

impl ExtensionFactory for Charge {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Charge)
    }
}

#[async_trait::async_trait]
impl Extension for Charge {
    async fn validation(&self, ctx: &ExtensionContext<'_>, next: NextValidation<'_>) -> Result<ValidationResult, Vec<ServerError>> {
        let valid = next.run(ctx).await?;
        let reads = u32::try_from(valid.complexity / VALUES_A_READ).unwrap_or(u32::MAX);
        // Without a user nothing is answered, and nothing asked.
        if reads > 0
            && let Ok(asker) = ctx.data::<Asker>()
        {
            asker.pay_more(reads).map_err(|refusal| vec![server_error(&refusal)])?;
        }
        Ok(valid)
    }
}
