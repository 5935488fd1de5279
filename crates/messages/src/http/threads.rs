//! Threads: lists of them, following, and marks.

use super::{Paging, Reply, Shared, limit, message_seq};
use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use contract::calls::messages::ReadMark;
use contract::calls::threads::{FollowThread, MarkThreadRead, RoomThreads, Thread};
use contract::{Answer, Page, RoomId, claiming};
use edge::{Changes, Json, Path, Problem, Query, Reads, Refuses, room_id};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(of_room)).routes(routes!(follow, stop_following)).routes(routes!(mark_read))
}

/// A room's threads
///
/// The one with the newest message comes first. A thread of which every message was deleted is left out.
#[utoipa::path(get, path = "/rooms/{id}/threads", operation_id = "listThreads", tag = "threads",
    params(("id" = RoomId, Path, description = "The room."), Paging), security(("token" = [])),
    responses((status = 200, body = Page<Thread>, description = "A page of threads."), Refuses<400, 404>))]
async fn of_room(State(s): State<Shared>, Reads(who): Reads, Path(id): Path<String>, Query(page): Query<Paging>) -> Reply<Page<Thread>> {
    let call = RoomThreads { room: room_id(&id)?, after: page.after, limit: limit(page.limit)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

/// Follow a thread
///
/// From its newest message on. Who began the thread and who writes in it follows already.
#[utoipa::path(put, path = "/rooms/{id}/threads/{seq}/follow", operation_id = "followThread", tag = "threads", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The thread's first message.")),
    responses((status = 204, description = "You follow it."), Refuses<400, 404>))]
async fn follow(State(s): State<Shared>, Changes(who): Changes, Path((id, seq)): Path<(String, String)>) -> Result<StatusCode, Problem> {
    s.messages.answer(&who, FollowThread { room: room_id(&id)?, thread: message_seq("thread", &seq)?, on: true }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stop following a thread
#[utoipa::path(delete, path = "/rooms/{id}/threads/{seq}/follow", operation_id = "unfollowThread", tag = "threads", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The thread's first message.")),
    responses((status = 204, description = "You do not follow it."), Refuses<400, 404>))]
async fn stop_following(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, seq)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    s.messages.answer(&who, FollowThread { room: room_id(&id)?, thread: message_seq("thread", &seq)?, on: false }).await?;
    Ok(StatusCode::NO_CONTENT)
}

claiming! {
    /// A mark in a thread.
    #[derive(Deserialize, ToSchema)]
    struct NewThreadMark {
        /// Read up to here; past the newest message means that one.
        #[serde(deserialize_with = "contract::whole::number")]
        #[schema(minimum = 0)]
        seq: i64,
    }
}

/// Move your mark in a thread
///
/// It never goes back. Your own sockets hear `thread read`.
#[utoipa::path(put, path = "/rooms/{id}/threads/{seq}/read", operation_id = "markThreadRead", tag = "threads", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The thread's first message.")),
    request_body = NewThreadMark,
    responses((status = 200, body = ReadMark, description = "Where it stands now."), Refuses<400, 404, 413, 415>))]
async fn mark_read(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, seq)): Path<(String, String)>,
    Json(body): Json<NewThreadMark>,
) -> Reply<ReadMark> {
    who.user()?.check_claim(&body)?;
    let call = MarkThreadRead { room: room_id(&id)?, thread: message_seq("thread", &seq)?, seq: body.seq };
    Ok(Answered(s.messages.answer(&who, call).await?))
}
