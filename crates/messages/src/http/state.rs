//! The caller's own state.

use super::{Reply, Shared, limit};
use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use contract::calls::state as calls;
use contract::{Answer, Page, Patch, Refusal, Stamp, StateKey, StateValue, claiming};
use edge::{Changes, Json, Path, Problem, Query, Reads, Refuses};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_state)).routes(routes!(get_state, put_state, remove_state))
}

/// Which part of the own state.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StateParams {
    /// Only keys that begin so.
    #[serde(default)]
    #[param(required = false, max_length = 200, pattern = "^[a-zA-Z0-9._:-]*$", example = "draft:")]
    prefix: String,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
}

/// Your own state
///
/// A small store that follows you over all devices: by key, all of it or what begins with a prefix.
#[utoipa::path(get, path = "/users/me/state", operation_id = "listState", tag = "state", params(StateParams), security(("token" = [])),
    responses((status = 200, body = Page<calls::StateItem>, description = "A page of values."), Refuses<400>))]
async fn list_state(State(s): State<Shared>, Reads(who): Reads, Query(params): Query<StateParams>) -> Reply<Page<calls::StateItem>> {
    let StateParams { prefix, after, limit: items } = params;
    let prefix = if prefix.is_empty() { None } else { Some(StateKey::try_from(prefix).map_err(|why| Refusal::invalid("prefix", why))?) };
    Ok(Answered(s.messages.answer(&who, calls::ListState { prefix, after, limit: limit(items)? }).await?))
}

/// The key in a path.
fn state_key(text: String) -> Result<StateKey, Refusal> {
    text.try_into().map_err(|why: String| Refusal::invalid("key", why))
}

/// One value of your own state
#[utoipa::path(get, path = "/users/me/state/{key}", operation_id = "getState", tag = "state",
    params(("key" = StateKey, Path, description = "Its key.")), security(("token" = [])),
    responses((status = 200, body = calls::StateItem, description = "The value."), Refuses<400, 404>))]
async fn get_state(State(s): State<Shared>, Reads(who): Reads, Path(key): Path<String>) -> Reply<calls::StateItem> {
    Ok(Answered(s.messages.answer(&who, calls::GetState { key: state_key(key)? }).await?))
}

claiming! {
    /// A value to keep.
    #[derive(Deserialize, ToSchema)]
    struct NewState {
        /// The value.
        value: StateValue,
        /// Only if this is the present stamp; null: only if nothing is there.
        #[serde(default)]
        #[schema(value_type = Option<Stamp>, required = false)]
        if_stamp: Patch<Stamp>,
    }
}

/// Keep a value in your own state
///
/// All of your sockets hear `state changed`, unless the value is there already. A user has at most 5,000 keys (`conflict`). With an `if_stamp` that is
/// not the present one it is `conflict`, too.
#[utoipa::path(put, path = "/users/me/state/{key}", operation_id = "putState", tag = "state",
    params(("key" = StateKey, Path, description = "Its key.")), request_body = NewState, security(("token" = [])),
    responses((status = 200, body = calls::StateItem, description = "The value with its stamp."), Refuses<400, 409>, Refuses<413, 415>))]
async fn put_state(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path(key): Path<String>,
    Json(body): Json<NewState>,
) -> Reply<calls::StateItem> {
    who.user()?.check_claim(&body)?;
    let NewState { value, if_stamp, .. } = body;
    Ok(Answered(s.messages.answer(&who, calls::PutState { key: state_key(key)?, value, if_stamp }).await?))
}

/// Remove a value from your own state
///
/// All of your sockets hear `state changed` with null. Where there is nothing it is fine.
#[utoipa::path(delete, path = "/users/me/state/{key}", operation_id = "removeState", tag = "state",
    params(("key" = StateKey, Path, description = "Its key.")), security(("token" = [])),
    responses((status = 204, description = "Nothing is there now."), Refuses<400>))]
async fn remove_state(State(s): State<Shared>, Changes(who): Changes, Path(key): Path<String>) -> Result<StatusCode, Problem> {
    s.messages.answer(&who, calls::RemoveState { key: state_key(key)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}
