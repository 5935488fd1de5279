//! What the program itself answers over HTTP: probes, metrics, the documents and the pages. Every service's own routes are the service's.

mod document_routes;
mod documents;
mod events_page;
mod pages;
mod pinged;
mod probes;
mod schema_table;
mod state;

pub use state::Program;

use std::sync::Arc;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::settings::Run;
use documents::Documents;
use state::Own;

/// Where the services' parts of the OpenAPI document are also found, below paths that an ingress sends to them: a page in front of several
/// processes finds them there.
const USERS_PART: &str = "/users/openapi.json";
const MESSAGES_PART: &str = "/messages/openapi.json";

/// Puts the program's own routes beside those of the services, and the OpenAPI document over all of them. `events` is the AsyncAPI
/// document; with it come the page and the documents to read.
pub fn with_own_routes(services: OpenApiRouter, program: Program, run: Run, events: Option<&serde_json::Value>) -> Router {
    let mut own = OpenApiRouter::<Own>::new()
        .routes(routes!(probes::alive))
        .routes(routes!(probes::ready))
        .routes(routes!(probes::numbers))
        .routes(routes!(document_routes::openapi))
        .routes(routes!(document_routes::errors));
    if events.is_some() {
        own = own
            .routes(routes!(document_routes::asyncapi))
            .routes(routes!(document_routes::swagger))
            .route("/docs/", axum::routing::get(document_routes::swagger_index))
            .route("/docs/{*file}", axum::routing::get(document_routes::swagger_file))
            .routes(routes!(document_routes::events))
            .routes(routes!(pages::index))
            .route("/favicon.ico", axum::routing::get(pages::icon))
            .route("/assets/{*file}", axum::routing::get(pages::asset));
    }
    let parts = [(run.users, "users", USERS_PART), (run.messages, "messages", MESSAGES_PART)];
    for (_, _, path) in parts.iter().filter(|(here, _, _)| *here) {
        own = own.route(path, axum::routing::get(document_routes::openapi));
    }
    let elsewhere: Vec<_> = parts.iter().filter(|(here, _, _)| !here).map(|(_, name, path)| (*name, *path)).collect();
    let mut api = services.get_openapi().clone();
    api.merge(own.get_openapi().clone());
    let nothing = serde_json::Value::Null;
    let documents = Arc::new(Documents::new(documents::complete(api), events.unwrap_or(&nothing), &elsewhere));
    let (router, _) = services.merge(own.with_state(Own { program, documents })).split_for_parts();
    router
}
