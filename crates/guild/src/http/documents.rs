//! The contracts that the program serves about itself, and the pages to read and try them. All are made once, at the start.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use contract::Refusal;
use edge::{Problem, incident};
use serde_json::Value;
use utoipa::openapi::external_docs::ExternalDocsBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, security::SecurityRequirement};
use utoipa_swagger_ui::{Config, Url};

use super::Own;
use super::events_page::events_page;
use super::pages::html;

/// What is served.
pub struct Documents {
    openapi: Bytes,
    asyncapi: Bytes,
    events: Bytes,
    errors: Bytes,
    swagger: Arc<Config<'static>>,
}

impl Documents {
    /// Writes the documents down.
    ///
    /// `elsewhere`: further OpenAPI documents that the page to read and try them offers, by name and path.
    pub fn new(api: OpenApi, events: &Value, elsewhere: &[(&'static str, &'static str)]) -> Self {
        let own = if elsewhere.is_empty() { Url::from("/openapi.json") } else { Url::new("this server", "/openapi.json") };
        let others = elsewhere.iter().map(|(name, path)| Url::new(name, path));
        Self {
            openapi: written(&api),
            asyncapi: written(events),
            events: events_page(events).into(),
            errors: edge::errors_page().into(),
            // No validator badge: it would send the document's address to somebody else's server.
            swagger: Arc::new(
                Config::new(others.chain([own]))
                    .validator_url("none")
                    .persist_authorization(false)
                    .display_request_duration(true)
                    .filter(true),
            ),
        }
    }
}

fn written(document: &impl serde::Serialize) -> Bytes {
    match serde_json::to_vec_pretty(document) {
        Ok(bytes) => bytes.into(),
        Err(error) => {
            tracing::error!(%error, "a document cannot be written");
            Bytes::from_static(b"{}")
        }
    }
}

/// What the services' own parts leave open: what this is, where it is, who needs a token, and how the calls are grouped.
pub fn complete(mut api: OpenApi) -> OpenApi {
    api.info = InfoBuilder::new()
        .title("Guild Chat")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What happened, over REST. What happens now comes over Socket.IO: see [/docs/events](/docs/events).\n\n\
             A login answers a token; send it as `Authorization: Bearer …`. Every error is a problem (RFC 9457) with a `code` for \
             programs and a `detail` for people: see [/docs/errors](/docs/errors). Lists answer `items` and `next`; pass `next` back \
             as `after` until it is null. Clients ignore fields that they do not know.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    api.servers = Some(vec![ServerBuilder::new().url("/").description(Some("This server")).build()]);
    api.external_docs = Some(ExternalDocsBuilder::new().url("/docs/events").description(Some("The events over Socket.IO")).build());
    api.tags = Some(
        [
            ("users", "Accounts, logins, the directory, and who is online."),
            ("rooms", "Rooms of the three kinds, and who is in them."),
            ("messages", "The log of each room, by `seq`, and what others sent lately."),
            ("graphql", "The same, to be asked for together in GraphQL; the schema is at `/graphql/schema.graphql`."),
            ("operations", "For those who run the server: probes and numbers."),
            ("documents", "This document, and its like."),
        ]
        .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
        .to_vec(),
    );
    require_token(&mut api);
    api
}

/// Every call needs a token but those that say otherwise, and those of the program itself, which hold nobody's data.
fn require_token(api: &mut OpenApi) {
    api.security = Some(vec![SecurityRequirement::new("token", [""; 0])]);
    let items = api.paths.paths.values_mut();
    for operation in items.flat_map(|item| [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]).flatten() {
        let own = |tag: &String| tag == "operations" || tag == "documents";
        if operation.tags.iter().flatten().any(own) {
            operation.security = Some(vec![]);
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_services_leave_open() {
        let api = serde_json::to_value(complete(edge::document())).unwrap();
        assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(api["info"]["title"], "Guild Chat");
        assert_eq!(api["security"][0]["token"], serde_json::json!([]));
        assert!(api["tags"].as_array().unwrap().iter().all(|tag| tag["description"].is_string()));
    }
}
