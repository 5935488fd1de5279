//! For those who watch over the server: is it alive, can it serve, and its numbers.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use contract::Refusal;
use edge::{Problem, ProblemBody};
use serde::Serialize;
use utoipa::ToSchema;

use super::Own;
use crate::vitals;

/// How long the database may take to answer before the server counts as not ready.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// Whether the database answers. Anybody may ask for `/readyz`, as often as they like, so all who ask within a quarter of a second get
/// one answer: a probe must not take the place of those who read.
#[derive(Default)]
pub struct Pinged(tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>);

impl Pinged {
    /// For how long an answer holds.
    const HOLDS: Duration = Duration::from_millis(250);

    /// # Errors
    /// What is wrong, for whoever asks.
    async fn ping(&self, db: &db::Db) -> Result<(), String> {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < Self::HOLDS
        {
            return answer.clone();
        }
        let answer = match tokio::time::timeout(PATIENCE, db.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the database does not answer");
                Err("the database does not answer; the log says more".to_owned())
            }
            Err(_) => Err(format!("the database has not answered for {} seconds", PATIENCE.as_secs())),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_ask_at_once_get_one_answer() {
        let db = db::Db::open(&"sqlite::memory:".parse().unwrap(), &[], db::Access::Server).await.unwrap();
        let pinged = Pinged::default();
        pinged.ping(&db).await.unwrap();
        db.close().await;
        pinged.ping(&db).await.expect("the answer of before");
        tokio::time::sleep(Pinged::HOLDS).await;
        pinged.ping(&db).await.expect_err("it is asked again");
    }
}

/// The server's numbers, as Prometheus reads them
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "getMetrics", responses(
    (status = 200, description = "Counters, gauges and histograms; all begin with `guild_`.", body = String, content_type = "text/plain"),
))]
pub async fn numbers(State(own): State<Own>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], own.program.metrics.render())
}
