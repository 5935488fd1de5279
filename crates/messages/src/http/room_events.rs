//! The durable events of a room, for who has missed some of them.

use super::{Reply, Shared};
use axum::Json as Answered;
use axum::extract::State;
use contract::calls::messages as calls;
use contract::{Answer, Page, RoomId, wire};
use edge::{Path, Problem, Query, Reads, Refuses, room_id};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(room_events))
}

/// Which events of a room.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventParams {
    /// Only events just after this seq.
    #[param(minimum = 0, default = 0)]
    after: Option<i64>,
    /// How many items.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<i64>,
}

/// A durable event of a room.
#[derive(Serialize, ToSchema)]
struct RoomEvent {
    /// Its name, as a socket hears it.
    #[schema(example = "new message")]
    event: &'static str,
    /// What it carries, without the `cursor`.
    #[schema(value_type = Object)]
    data: Value,
}

/// A room's events
///
/// Every durable event, ascending by `seq`, as a socket hears it now: messages as they are now, changes of messages, joins, leaves, changes of the room. For a client that has
/// noticed a gap.
#[utoipa::path(get, path = "/rooms/{id}/events", operation_id = "listRoomEvents", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), EventParams), security(("token" = [])),
    responses((status = 200, body = Page<RoomEvent>, description = "A page of events."), Refuses<400, 404>))]
async fn room_events(
    State(s): State<Shared>,
    Reads(who): Reads,
    Path(id): Path<String>,
    Query(params): Query<EventParams>,
) -> Reply<Page<RoomEvent>> {
    // The service refuses 0, in its words.
    let limit = u16::try_from(params.limit.unwrap_or(50)).unwrap_or(0);
    let call = calls::RoomEvents { room: room_id(&id)?, after: params.after.unwrap_or(0), limit };
    let Page { items, next } = s.messages.answer(&who, call).await?;
    Ok(Answered(Page { items: items.iter().map(room_event).collect::<Result<_, _>>()?, next }))
}

fn room_event(event: &contract::log::Event) -> Result<RoomEvent, Problem> {
    // The service has left the nonces only in the caller's own messages.
    let (name, told) = wire::Told::of(event, true, String::new());
    let mut data = serde_json::to_value(told).map_err(|why| edge::incident(&format!("an event has no JSON form: {why}")))?;
    if let Some(data) = data.as_object_mut() {
        data.remove("cursor");
    }
    Ok(RoomEvent { event: name, data })
}
