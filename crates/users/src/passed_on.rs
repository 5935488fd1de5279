//! What the messages service keeps for one user: the own state, the threads that the user follows, what mentions the user. It stands under `/users/me`,
//! and an ingress sends all of `/users` here, so these calls are passed on.

use axum::Json as Answered;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use bus::Bus;
use contract::calls::mentions::MyMentions;
use contract::calls::state as calls;
use contract::calls::threads::{MyThreads, Thread};
use contract::{Limit, Message, Page, Patch, Refusal, Stamp, StateKey, StateValue, claiming};
use edge::{Admission, Changes, Json, Looks, Path, Problem, Query, Reads, Refuses};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the handlers share.
#[derive(Clone)]
struct Passing {
    bus: Bus,
    admission: Arc<Admission>,
}

impl FromRef<Passing> for Bus {
    fn from_ref(passing: &Passing) -> Bus {
        passing.bus.clone()
    }
}

impl FromRef<Passing> for Arc<Admission> {
    fn from_ref(passing: &Passing) -> Arc<Admission> {
        Arc::clone(&passing.admission)
    }
}

pub(crate) fn routes(bus: Bus, admission: Arc<Admission>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_state))
        .routes(routes!(get_state, put_state, remove_state))
        .routes(routes!(my_threads))
        .routes(routes!(my_mentions))
        .with_state(Passing { bus, admission })
}

type Reply<T> = Result<Answered<T>, Problem>;

fn limit(limit: Option<i64>) -> Result<Limit, Problem> {
    Ok(limit.map(Limit::try_from).transpose()?.unwrap_or_default())
}

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
async fn list_state(State(passing): State<Passing>, Reads(who): Reads, Query(params): Query<StateParams>) -> Reply<Page<calls::StateItem>> {
    let StateParams { prefix, after, limit: items } = params;
    let prefix = if prefix.is_empty() { None } else { Some(StateKey::try_from(prefix).map_err(|why| Refusal::invalid("prefix", why))?) };
    Ok(Answered(passing.bus.ask(&who, calls::ListState { prefix, after, limit: limit(items)? }).await?))
}

/// The key in a path.
fn state_key(text: String) -> Result<StateKey, Refusal> {
    text.try_into().map_err(|why: String| Refusal::invalid("key", why))
}

/// One value of your own state
#[utoipa::path(get, path = "/users/me/state/{key}", operation_id = "getState", tag = "state",
    params(("key" = StateKey, Path, description = "Its key.")), security(("token" = [])),
    responses((status = 200, body = calls::StateItem, description = "The value."), Refuses<400, 404>))]
async fn get_state(State(passing): State<Passing>, Reads(who): Reads, Path(key): Path<String>) -> Reply<calls::StateItem> {
    Ok(Answered(passing.bus.ask(&who, calls::GetState { key: state_key(key)? }).await?))
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
    State(passing): State<Passing>,
    Changes(who): Changes,
    Path(key): Path<String>,
    Json(body): Json<NewState>,
) -> Reply<calls::StateItem> {
    who.user()?.check_claim(&body)?;
    let NewState { value, if_stamp, .. } = body;
    Ok(Answered(passing.bus.ask(&who, calls::PutState { key: state_key(key)?, value, if_stamp }).await?))
}

/// Remove a value from your own state
///
/// All of your sockets hear `state changed` with null. Where there is nothing it is fine.
#[utoipa::path(delete, path = "/users/me/state/{key}", operation_id = "removeState", tag = "state",
    params(("key" = StateKey, Path, description = "Its key.")), security(("token" = [])),
    responses((status = 204, description = "Nothing is there now."), Refuses<400>))]
async fn remove_state(State(passing): State<Passing>, Changes(who): Changes, Path(key): Path<String>) -> Result<StatusCode, Problem> {
    passing.bus.ask(&who, calls::RemoveState { key: state_key(key)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which of your threads.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MyThreadsParams {
    /// Only those with something unread.
    #[serde(default)]
    #[param(default = false)]
    unread: bool,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
}

/// The threads that you follow
///
/// In all of your rooms, the one with the newest message first.
#[utoipa::path(get, path = "/users/me/threads", operation_id = "listMyThreads", tag = "threads",
    params(MyThreadsParams), security(("token" = [])),
    responses((status = 200, body = Page<Thread>, description = "A page of threads."), Refuses<400>))]
async fn my_threads(
    State(passing): State<Passing>,
    Looks(who, paid): Looks,
    params: Result<Query<MyThreadsParams>, Problem>,
) -> Reply<Page<Thread>> {
    let answer = match params.and_then(|Query(MyThreadsParams { unread, after, limit: items })| Ok((unread, after, limit(items)?))) {
        Ok((unread, after, limit)) => passing.bus.ask(&who, MyThreads { unread, after, limit }).await.map_err(Problem::from),
        Err(refused) => Err(refused),
    };
    paid.looked_at(answer.as_ref().map_or(0, |page| page.items.len()));
    Ok(Answered(answer?))
}

/// The messages that mention you
///
/// By name or with everybody, in all of your rooms; the newest first. Of those to everybody, what others have sent since you joined.
#[utoipa::path(get, path = "/users/me/mentions", operation_id = "listMyMentions", tag = "messages",
    params(Paging), security(("token" = [])),
    responses((status = 200, body = Page<Message>, description = "A page of messages."), Refuses<400>))]
async fn my_mentions(
    State(passing): State<Passing>,
    Looks(who, paid): Looks,
    params: Result<Query<Paging>, Problem>,
) -> Reply<Page<Message>> {
    let answer = match params.and_then(|Query(page)| Ok(MyMentions { after: page.after, limit: limit(page.limit)? })) {
        Ok(call) => passing.bus.ask(&who, call).await.map_err(Problem::from),
        Err(refused) => Err(refused),
    };
    paid.looked_at(answer.as_ref().map_or(0, |page| page.items.len()));
    Ok(Answered(answer?))
}
