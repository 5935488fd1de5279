//! A refusal as GraphQL tells it: the sentence is the `message`, all else is in `extensions`.

use async_graphql::{Error, ErrorExtensionValues, ServerError, Value};
use contract::{Code, Refusal};

/// As a resolver fails.
pub(crate) fn refuse(refusal: Refusal) -> Error {
    let mut error = Error::new(refusal.detail.clone());
    error.extensions = Some(extensions(&refusal));
    error
}

/// As a request fails that does not get as far as a resolver.
pub(crate) fn server_error(refusal: &Refusal) -> ServerError {
    let mut error = ServerError::new(refusal.detail.clone(), None);
    error.extensions = Some(extensions(refusal));
    error
}

/// Gives every error a code. Those without one are GraphQL's own: they are about what was asked.
pub(crate) fn with_code(mut error: ServerError) -> ServerError {
    let mut extensions = error.extensions.take().unwrap_or_default();
    if extensions.get("code").is_none() {
        extensions.set("code", Code::InvalidRequest.as_str());
    }
    error.extensions = Some(extensions);
    error
}

fn extensions(refusal: &Refusal) -> ErrorExtensionValues {
    let mut values = ErrorExtensionValues::default();
    values.set("code", refusal.code.as_str());
    if let Some(field) = &refusal.field {
        values.set("field", field.as_str());
    }
    if let Some(after) = refusal.retry_after_ms {
        values.set("retryAfterMs", Value::from(after));
    }
    if let Some(incident) = &refusal.incident {
        values.set("incident", incident.as_str());
    }
    values
}
