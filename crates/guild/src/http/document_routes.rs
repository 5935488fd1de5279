//! The routes of the documents, and of the pages to read and try them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use contract::Refusal;
use edge::{Problem, incident};

use super::documents::Documents;
use super::pages::html;
use super::state::Own;

/// The OpenAPI document
///
/// OpenAPI 3.1, of every call here.
#[utoipa::path(get, path = "/openapi.json", tag = "documents", operation_id = "getOpenapi", responses(
    (status = 200, description = "The document.", body = serde_json::Value),
))]
pub async fn openapi(State(own): State<Own>) -> Response {
    json(own.documents.openapi.clone())
}

/// The AsyncAPI document
///
/// AsyncAPI 3, of the events over Socket.IO.
#[utoipa::path(get, path = "/asyncapi.json", tag = "documents", operation_id = "getAsyncapi", responses(
    (status = 200, description = "The document.", body = serde_json::Value),
))]
pub async fn asyncapi(State(own): State<Own>) -> Response {
    json(own.documents.asyncapi.clone())
}

fn json(document: Bytes) -> Response {
    // A new version of the program has new documents at once.
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document).into_response()
}

/// The events over Socket.IO, as a page to read
#[utoipa::path(get, path = "/docs/events", tag = "documents", operation_id = "getEventsPage", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub async fn events(State(own): State<Own>) -> Response {
    html(own.documents.events.clone())
}

/// What each error code means, as a page to read
///
/// A problem's `type` links here.
#[utoipa::path(get, path = "/docs/errors", tag = "documents", operation_id = "getErrorsPage", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub async fn errors(State(own): State<Own>) -> Response {
    html(own.documents.errors.clone())
}

/// The calls over REST, as a page to read and try
///
/// It is Swagger UI.
#[utoipa::path(get, path = "/docs", tag = "documents", operation_id = "getDocsPage", responses(
    (status = 303, description = "The page is at `/docs/`."),
))]
pub async fn swagger() -> Redirect {
    Redirect::to("/docs/")
}

/// Swagger UI's page.
pub async fn swagger_index(State(own): State<Own>) -> Response {
    swagger_asset(&own.documents, "index.html")
}

/// What Swagger UI's page loads.
pub async fn swagger_file(State(own): State<Own>, Path(file): Path<String>) -> Response {
    swagger_asset(&own.documents, &file)
}

fn swagger_asset(documents: &Documents, file: &str) -> Response {
    match utoipa_swagger_ui::serve(file, Arc::clone(&documents.swagger)) {
        Ok(Some(asset)) => {
            let kind = HeaderValue::from_str(&asset.content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
            let mut headers = vec![(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
            if asset.gzpipped {
                headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            }
            let mut response = (StatusCode::OK, Bytes::from(asset.bytes.into_owned())).into_response();
            // "extend" would add a second Content-Type beside the body's own.
            for (name, value) in headers {
                response.headers_mut().insert(name, value);
            }
            lenient(response)
        }
        Ok(None) => Problem(Refusal::not_found("there is no such document; see /docs")).into_response(),
        Err(error) => Problem(incident(&error)).into_response(),
    }
}

/// The policy for Swagger UI, which carries styles inside; scripts still come from this server's files only.
fn lenient(mut response: Response) -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
                  font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
