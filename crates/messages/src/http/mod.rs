//! The REST calls about rooms and messages. A handler reads the request, asks the service, and answers what it gets; it decides nothing.
//! `rooms` has those about rooms and members, `messages` those that send and read, `amendments` those about one message, `room_events` the events of a
//! room, `state` those about the caller's own state.

mod amendments;
mod messages;
mod room_events;
mod rooms;
mod state;

use crate::service::Messages;
use axum::Json as Answered;
use axum::extract::FromRef;
use bus::Bus;
use contract::Limit;
use edge::{Admission, Problem};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    messages: Arc<Messages>,
    bus: Bus,
    admission: Arc<Admission>,
}

impl FromRef<Shared> for Arc<Admission> {
    fn from_ref(shared: &Shared) -> Arc<Admission> {
        Arc::clone(&shared.admission)
    }
}

impl FromRef<Shared> for Bus {
    fn from_ref(shared: &Shared) -> Bus {
        shared.bus.clone()
    }
}

/// Every route of this service.
pub fn routes(messages: Arc<Messages>, bus: Bus, admission: Arc<Admission>) -> OpenApiRouter {
    OpenApiRouter::with_openapi(edge::document())
        .merge(rooms::routes())
        .merge(messages::routes())
        .merge(amendments::routes())
        .merge(room_events::routes())
        .merge(state::routes())
        .with_state(Shared { messages, bus, admission })
}

type Reply<T> = Result<Answered<T>, Problem>;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
}

fn limit(limit: Option<i64>) -> Result<Limit, Problem> {
    Ok(limit.map(Limit::try_from).transpose()?.unwrap_or_default())
}
