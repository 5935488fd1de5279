//! The documents that the program serves about itself. All are made once, at the start.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use utoipa::openapi::external_docs::ExternalDocsBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, RefOr, security::SecurityRequirement};
use utoipa_swagger_ui::{Config, Url};

use super::events_page::events_page;

/// What is served.
pub struct Documents {
    pub(super) openapi: Bytes,
    pub(super) asyncapi: Bytes,
    pub(super) events: Bytes,
    pub(super) errors: Bytes,
    pub(super) swagger: Arc<Config<'static>>,
}

impl Documents {
    /// Makes the documents.
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

/// Adds what the services' own parts leave open: what this is, where it is, which calls need a token, and how they are grouped.
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
            ("threads", "Messages under a message: who follows, and up to where one has read."),
            ("state", "What you keep for yourself: a small store that follows you over all devices."),
            ("graphql", "The same, to be asked for together in GraphQL; the schema is at `/graphql/schema.graphql`."),
            ("operations", "For those who run the server: probes and numbers."),
            ("documents", "This document, and its like."),
        ]
        .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
        .to_vec(),
    );
    require_token(&mut api);
    tell_of_warnings(&mut api);
    api
}

/// Every call needs a token, except those that say otherwise and those of the program itself, which hold nobody's data.
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

/// Every call that reads a JSON body warns of what it has ignored of it. GraphQL knows its fields and refuses all others.
fn tell_of_warnings(api: &mut OpenApi) {
    let items = api.paths.paths.values_mut();
    for operation in items.flat_map(|item| [&mut item.post, &mut item.put, &mut item.patch]).flatten() {
        let graphql = operation.tags.iter().flatten().any(|tag| tag == "graphql");
        if graphql || operation.request_body.is_none() {
            continue;
        }
        for (status, response) in &mut operation.responses.responses {
            if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
                response.headers.insert("Guild-Warnings".to_owned(), RefOr::T(edge::warnings_header()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem};
    use utoipa::openapi::request_body::RequestBody;
    use utoipa::openapi::response::Response;

    #[test]
    fn the_document_says_what_the_services_leave_open() {
        let api = serde_json::to_value(complete(edge::document())).unwrap();
        assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(api["info"]["title"], "Guild Chat");
        assert_eq!(api["security"][0]["token"], serde_json::json!([]));
        assert!(api["tags"].as_array().unwrap().iter().all(|tag| tag["description"].is_string()));
    }

    #[test]
    fn calls_with_a_body_warn() {
        let warns = |body: Option<RequestBody>, tag: &str| {
            let call = OperationBuilder::new().request_body(body).tag(tag);
            let call = call.response("201", Response::new("done")).response("404", Response::new("refused")).build();
            let mut api = edge::document();
            api.paths.paths.insert("/x".to_owned(), PathItem::new(HttpMethod::Post, call));
            let api = serde_json::to_value(complete(api)).unwrap();
            let responses = &api["paths"]["/x"]["post"]["responses"];
            assert!(responses["404"]["headers"].is_null(), "a refusal names its own error");
            responses["201"]["headers"]["Guild-Warnings"].is_object()
        };
        assert!(warns(Some(RequestBody::new()), "rooms"));
        assert!(!warns(None, "rooms"));
        assert!(!warns(Some(RequestBody::new()), "graphql"));
    }
}
