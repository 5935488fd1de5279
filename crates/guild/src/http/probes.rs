//! For those who watch over the server: is it alive, can it serve, and its numbers.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use contract::Refusal;
use edge::{Problem, ProblemBody};
use serde::Serialize;
use utoipa::ToSchema;

use super::state::Own;
use crate::vitals;

/// How a probe finds the server.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`; everything else is a problem.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Whether the process is alive
///
/// Answers as long as it can answer at all, whatever the database does: restart the server when this fails.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "getHealth", responses(
    (status = 200, description = "It is.", body = Health),
))]
pub async fn alive() -> Json<Health> {
    OK
}

/// Whether the server can serve
///
/// It can when the database answers and NATS is connected (where it has them), all of its parts work, and it has not been told to stop. Send
/// no traffic here while this fails.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "getReadiness", responses(
    (status = 200, description = "It can.", body = Health),
    (status = 503, description = "`busy`: not now; `detail` says why.", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn ready(State(own): State<Own>) -> Result<Json<Health>, Problem> {
    if own.program.stopping.load(Ordering::Relaxed) {
        return Err(Refusal::busy("the server is stopping").into());
    }
    if let Some(lost) = vitals::lost(&own.program.vitals) {
        return Err(Refusal::busy(format!("{lost}, and the server ends; the log says more")).into());
    }
    if let Some(why) = own.program.bus.missing() {
        return Err(Refusal::busy(format!("{why}; the log says more")).into());
    }
    let Some(db) = &own.program.db else { return Ok(OK) };
    own.program.pinged.ping(db).await.map(|()| OK).map_err(|why| Refusal::busy(why).into())
}

/// The server's numbers, as Prometheus reads them
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "getMetrics", responses(
    (status = 200, description = "Counters, gauges and histograms; all begin with `guild_`.", body = String, content_type = "text/plain"),
))]
pub async fn numbers(State(own): State<Own>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], own.program.metrics.render())
}
