//! What the program itself answers over HTTP: probes, metrics, the documents and the pages. Every service's own routes are the service's.

mod documents;
mod events_page;
mod pages;
mod probes;
mod schema_table;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use db::Db;
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use documents::Documents;

/// What the probes look at.
#[derive(Clone)]
pub struct Program {
    /// The database that has to answer for `/readyz`.
    pub db: Db,
    /// Set when the server has been told to stop.
    pub stopping: Arc<AtomicBool>,
    /// Prints the metrics.
    pub metrics: PrometheusHandle,
}

#[derive(Clone)]
struct Own {
    program: Program,
    documents: Arc<Documents>,
}

/// Puts the program's own routes beside those of the services, and the documents over all of them. `events` is the AsyncAPI document.
pub fn with_own_routes(services: OpenApiRouter, program: Program, events: &serde_json::Value) -> Router {
    let own = OpenApiRouter::<Own>::new()
        .routes(routes!(probes::alive))
        .routes(routes!(probes::ready))
        .routes(routes!(probes::numbers))
        .routes(routes!(documents::openapi))
        .routes(routes!(documents::asyncapi))
        .routes(routes!(documents::swagger))
        .route("/docs/", axum::routing::get(documents::swagger_index))
        .route("/docs/{*file}", axum::routing::get(documents::swagger_file))
        .routes(routes!(documents::events))
        .routes(routes!(documents::errors))
        .routes(routes!(pages::index))
        .route("/favicon.ico", axum::routing::get(pages::icon))
        .route("/assets/{*file}", axum::routing::get(pages::asset));
    let mut api = services.get_openapi().clone();
    api.merge(own.get_openapi().clone());
    let documents = Arc::new(Documents::new(documents::complete(api), events));
    let (router, _) = services.merge(own.with_state(Own { program, documents })).split_for_parts();
    router
}
