//! The REST calls about rooms and messages. A handler reads the request, asks the service, and answers what it gets; it decides nothing.
//! `rooms` has those about rooms and members, `messages` those that send and read, `amendments` those about one message, `room_events` the events of a
//! room, `threads` those about the threads of a room. Calls under `/users/me` come through the users service, because an ingress sends all of
//! `/users` there.

mod amendments;
mod messages;
mod room_events;
mod rooms;
mod threads;

use crate::service::Messages;
use axum::Json as Answered;
use axum::extract::FromRef;
use bus::Bus;
use contract::{Limit, Refusal};
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
        .merge(threads::routes())
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

/// The seq in a path, which names a message; `field` is what an error calls it.
fn message_seq(field: &str, text: &str) -> Result<i64, Problem> {
    let wrong = || Refusal::invalid(field, "a message is named by its seq: a whole number, 1 or more");
    Ok(text.parse().ok().filter(|seq| *seq > 0).ok_or_else(wrong)?)
}

fn limit(limit: Option<i64>) -> Result<Limit, Problem> {
    Ok(limit.map(Limit::try_from).transpose()?.unwrap_or_default())
}
