//! Rooms and their members.

use super::{Paging, Reply, Shared, limit};
use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use contract::calls::messages as calls;
use contract::{Answer, Caller, NewRoomName, Page, Patch, Refusal, Room, RoomId, Topic, User, Username, claiming, wire};
use edge::{Changes, Json, Path, Problem, Query, Reads, Refuses, room_id, username};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_channels, create_room))
        .routes(routes!(get_room, update_room))
        .routes(routes!(list_members, add_members))
        .routes(routes!(add_member, remove_member))
        .routes(routes!(list_reads))
}

/// The channels
///
/// All of them, newest first, those that you are in too.
#[utoipa::path(get, path = "/rooms", operation_id = "listChannels", tag = "rooms", params(Paging), security(("token" = [])),
    responses((status = 200, body = Page<Room>, description = "A page of rooms."), Refuses<400>))]
async fn list_channels(State(s): State<Shared>, Reads(who): Reads, Query(page): Query<Paging>) -> Reply<Page<Room>> {
    let call = calls::ListChannels { after: page.after, limit: limit(page.limit)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

/// Create a room, or find a pair's direct room
///
/// Two people and no name are a `direct` room, of which there is one for each pair: a second call finds it (200). A `nonce` makes a retry
/// return the first room; if you have left that since, it is `not_found`, field `nonce`, or the channel as anybody sees it. An unknown user is
/// `not_found`, field `usernames`.
#[utoipa::path(post, path = "/rooms", operation_id = "createRoom", tag = "rooms", request_body = wire::CreateRoom,
    security(("token" = [])),
    responses((status = 201, body = Room, description = "Created."), (status = 200, body = Room, description = "It was there before."),
        Refuses<400, 404, 409>, Refuses<413, 415>))]
async fn create_room(
    State(s): State<Shared>,
    Changes(who): Changes,
    Json(body): Json<wire::CreateRoom>,
) -> Result<(StatusCode, Answered<Room>), Problem> {
    who.user()?.check_claim(&body)?;
    let call = calls::CreateRoom { usernames: body.usernames, name: body.name.map(Into::into), kind: body.kind, nonce: body.nonce };
    let created = s.messages.answer(&who, call).await?;
    let status = if created.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answered(created.room)))
}

/// One room
///
/// One of your own, or any channel.
#[utoipa::path(get, path = "/rooms/{id}", operation_id = "getRoom", tag = "rooms",
    params(("id" = RoomId, Path, description = "The room.")), security(("token" = [])),
    responses((status = 200, body = Room, description = "The room."), Refuses<404>))]
async fn get_room(State(s): State<Shared>, Reads(who): Reads, Path(id): Path<String>) -> Reply<Room> {
    Ok(Answered(s.messages.answer(&who, calls::GetRoom { room: room_id(&id)? }).await?))
}

claiming! {
    /// What is to change about a room. What is left out stays.
    #[derive(Deserialize, ToSchema)]
    struct RoomChange {
        #[serde(default)]
        #[schema(value_type = NewRoomName, required = false)]
        name: Patch<NewRoomName>,
        /// What the room is about; null removes it.
        #[serde(default)]
        #[schema(value_type = Option<Topic>)]
        topic: Patch<Topic>,
        /// A merge patch (RFC 7396) of the metadata, of which 8 KiB at the most come; null removes it.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        metadata: Patch<Map<String, Value>>,
        /// Only if the room still has this `rev`.
        #[serde(default, deserialize_with = "contract::whole::maybe")]
        #[schema(minimum = 0)]
        if_rev: Option<i64>,
    }
}

/// Change a room's name, topic and metadata
///
/// Its owner may. A direct room has no name; both of its people may change the rest. All members hear `room updated`, unless nothing changes.
#[utoipa::path(patch, path = "/rooms/{id}", operation_id = "updateRoom", tag = "rooms",
    params(("id" = RoomId, Path, description = "The room.")), request_body = RoomChange, security(("token" = [])),
    responses((status = 200, body = Room, description = "The room as it is now."), Refuses<400, 404, 409>, Refuses<413, 415>))]
async fn update_room(State(s): State<Shared>, Changes(who): Changes, Path(id): Path<String>, Json(body): Json<RoomChange>) -> Reply<Room> {
    who.user()?.check_claim(&body)?;
    let RoomChange { name, topic, metadata, if_rev, .. } = body;
    let call = calls::UpdateRoom { room: room_id(&id)?, name: name.value("name")?.map(Into::into), topic, metadata, if_rev };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

/// A room's members
///
/// Those who have been in it the longest come first.
#[utoipa::path(get, path = "/rooms/{id}/members", operation_id = "listMembers", tag = "rooms",
    params(("id" = RoomId, Path, description = "The room."), Paging), security(("token" = [])),
    responses((status = 200, body = Page<User>, description = "A page of users."), Refuses<400, 404>))]
async fn list_members(State(s): State<Shared>, Reads(who): Reads, Path(id): Path<String>, Query(page): Query<Paging>) -> Reply<Page<User>> {
    let call = calls::ListMembers { room: room_id(&id)?, after: page.after, limit: limit(page.limit)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

claiming! {
    /// Who is to be in a room.
    #[derive(Deserialize, ToSchema)]
    struct NewMembers {
        /// Who; they join in this order.
        #[schema(max_items = 100)]
        usernames: Vec<Username>,
    }
}

/// Make several users members
///
/// All of them, or none: an unknown user is `not_found`, field `usernames`. Any member of a group may. Nobody is removed, and nothing happens to those
/// who are in it already. Members hear `member joined` for each new one.
#[utoipa::path(put, path = "/rooms/{id}/members", operation_id = "addMembers", tag = "rooms",
    params(("id" = RoomId, Path, description = "The room.")), request_body = NewMembers, security(("token" = [])),
    responses((status = 204, description = "Members now."), Refuses<400, 404, 409>, Refuses<413, 415>))]
async fn add_members(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path(id): Path<String>,
    Json(body): Json<NewMembers>,
) -> Result<StatusCode, Problem> {
    who.user()?.check_claim(&body)?;
    let call = calls::AddMembers { room: room_id(&id)?, usernames: body.usernames };
    s.messages.answer(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The read marks of a room's members
///
/// Those who have been in it the longest come first. In rooms of up to 100 members; a larger one is `forbidden`.
#[utoipa::path(get, path = "/rooms/{id}/reads", operation_id = "listReads", tag = "rooms",
    params(("id" = RoomId, Path, description = "The room."), Paging), security(("token" = [])),
    responses((status = 200, body = Page<calls::MemberRead>, description = "A page of read marks."), Refuses<400, 404>))]
async fn list_reads(
    State(s): State<Shared>,
    Reads(who): Reads,
    Path(id): Path<String>,
    Query(page): Query<Paging>,
) -> Reply<Page<calls::MemberRead>> {
    let call = calls::ListReads { room: room_id(&id)?, after: page.after, limit: limit(page.limit)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

/// Whom a path names: `me` is the caller.
fn member(who: &Caller, name: &str) -> Result<Username, Refusal> {
    if name == "me" { Ok(who.user()?.username.clone()) } else { username(name) }
}

/// Make somebody a member
///
/// Any member of a group may add others; a channel everybody joins for themselves. Nothing happens to those who are in it already. `me` stands for
/// yourself.
#[utoipa::path(put, path = "/rooms/{id}/members/{username}", operation_id = "addMember", tag = "rooms", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("username" = Username, Path, description = "Whose membership.")),
    responses((status = 204, description = "A member now."), Refuses<404, 409>))]
async fn add_member(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let call = calls::AddMember { room: room_id(&id)?, username: member(&who, &name)? };
    s.messages.answer(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave a room, or as its owner remove somebody
///
/// `me` stands for yourself.
#[utoipa::path(delete, path = "/rooms/{id}/members/{username}", operation_id = "removeMember", tag = "rooms", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("username" = Username, Path, description = "Whose membership.")),
    responses((status = 204, description = "Not a member any more."), Refuses<404>))]
async fn remove_member(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let call = calls::RemoveMember { room: room_id(&id)?, username: member(&who, &name)? };
    s.messages.answer(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}
