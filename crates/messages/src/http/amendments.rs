//! One message, and what is done to it.

use super::{Paging, Reply, Shared, limit, message_seq};
use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use contract::calls::messages as calls;
use contract::message::{Mentions, Version};
use contract::{Answer, Body, Caller, Emoji, Format, Message, Page, Patch, Reaction, Reason, Refusal, RoomId, claiming};
use edge::{Changes, Json, Path, Problem, Query, Reads, Refuses, Warnings, room_id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(delete_messages))
        .routes(routes!(get_message, edit_message, delete_message))
        .routes(routes!(versions))
        .routes(routes!(reactors, react, take_reaction_back))
        .routes(routes!(pins))
        .routes(routes!(pin, unpin))
}

/// One message
///
/// As it is now; of a deleted one, what is left.
#[utoipa::path(get, path = "/rooms/{id}/messages/{seq}", operation_id = "getMessage", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message.")),
    security(("token" = [])), responses((status = 200, body = Message, description = "The message."), Refuses<400, 404>))]
async fn get_message(State(s): State<Shared>, Reads(who): Reads, Path((id, seq)): Path<(String, String)>) -> Reply<Message> {
    let call = calls::GetMessage { room: room_id(&id)?, seq: message_seq("seq", &seq)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

claiming! {
    /// What is to change about a message. What is left out stays.
    #[derive(Deserialize, ToSchema)]
    struct MessageChange {
        /// The new text.
        #[serde(default)]
        #[schema(value_type = Body, required = false)]
        body: Patch<Body>,
        /// How the text is meant; null makes it plain.
        #[serde(default)]
        #[schema(value_type = Option<Format>)]
        format: Patch<Format>,
        /// A merge patch (RFC 7396) of the metadata, of which 4 KiB at the most come; null removes it.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        metadata: Patch<Map<String, Value>>,
        /// Whom it mentions, instead of those before; null for nobody.
        #[serde(default)]
        #[schema(value_type = Option<Mentions>)]
        mentions: Patch<Mentions>,
        /// Only if nobody has edited the message since it had this `rev`.
        #[serde(default, deserialize_with = "contract::whole::maybe")]
        #[schema(minimum = 1)]
        if_rev: Option<i64>,
    }
}

/// Edit a message
///
/// Its sender may, up to 100 times. All members hear `message edited`, unless nothing changes. A deleted message, and one that somebody has edited since `if_rev`, is
/// `conflict`.
#[utoipa::path(patch, path = "/rooms/{id}/messages/{seq}", operation_id = "editMessage", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message.")),
    request_body = MessageChange, security(("token" = [])),
    responses((status = 200, body = Message, description = "The message as it is now."), Refuses<400, 404, 409>, Refuses<413, 415>))]
async fn edit_message(
    State(s): State<Shared>,
    Changes(who): Changes,
    warnings: Warnings,
    Path((id, seq)): Path<(String, String)>,
    Json(body): Json<MessageChange>,
) -> Reply<Message> {
    who.user()?.check_claim(&body)?;
    let MessageChange { body, format, metadata, mentions, if_rev, .. } = body;
    let (room, seq, body) = (room_id(&id)?, message_seq("seq", &seq)?, body.value("body")?);
    let call = calls::EditMessage { room, seq, body, format, metadata, mentions, if_rev };
    let calls::Edited { message, warnings: undone } = s.messages.answer(&who, call).await?;
    warnings.add(undone);
    Ok(Answered(message))
}

/// Why a message is deleted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteParams {
    /// For the room to read.
    #[param(value_type = Option<String>, max_length = 500)]
    reason: Option<Reason>,
}

/// Delete a message
///
/// Its sender may, and in groups and channels the room's owner. What it said goes for good, with its versions, reactions and pin; its place stays. All members hear
/// `message deleted`. One that is deleted already is fine.
#[utoipa::path(delete, path = "/rooms/{id}/messages/{seq}", operation_id = "deleteMessage", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message."), DeleteParams),
    security(("token" = [])), responses((status = 204, description = "Deleted."), Refuses<400, 404>))]
async fn delete_message(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, seq)): Path<(String, String)>,
    Query(params): Query<DeleteParams>,
) -> Result<StatusCode, Problem> {
    let call = calls::DeleteMessage { room: room_id(&id)?, seq: message_seq("seq", &seq)?, reason: params.reason };
    s.messages.answer(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

claiming! {
    /// Messages to delete.
    #[derive(Deserialize, ToSchema)]
    struct DeletedMessages {
        /// Their seqs.
        #[serde(deserialize_with = "contract::whole::list")]
        #[schema(min_items = 1, max_items = 100, example = json!([1]))]
        seqs: Vec<i64>,
    }
}

/// The messages that were deleted.
#[derive(Serialize, ToSchema)]
struct Deleted {
    /// Their seqs.
    items: Vec<i64>,
}

/// Delete several messages
///
/// All of them, or none if you may not delete one. Those that do not exist and those that are deleted already are passed over. Members hear `message
/// deleted` for each.
#[utoipa::path(post, path = "/rooms/{id}/messages/delete", operation_id = "deleteMessages", tag = "messages",
    params(("id" = RoomId, Path, description = "The room.")), request_body = DeletedMessages, security(("token" = [])),
    responses((status = 200, body = Deleted, description = "Those that this call deleted."), Refuses<400, 404>, Refuses<413, 415>))]
async fn delete_messages(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path(id): Path<String>,
    Json(body): Json<DeletedMessages>,
) -> Reply<Deleted> {
    who.user()?.check_claim(&body)?;
    let items = s.messages.answer(&who, calls::DeleteMessages { room: room_id(&id)?, seqs: body.seqs }).await?;
    Ok(Answered(Deleted { items }))
}

/// A message's versions.
#[derive(Serialize, ToSchema)]
struct VersionList {
    /// The first one first, the present one last.
    items: Vec<Version>,
}

/// What a message said
///
/// For its sender, and in groups and channels the room's owner. Nothing is left of a deleted one.
#[utoipa::path(get, path = "/rooms/{id}/messages/{seq}/versions", operation_id = "listVersions", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message.")),
    security(("token" = [])), responses((status = 200, body = VersionList, description = "The versions."), Refuses<400, 404>))]
async fn versions(State(s): State<Shared>, Reads(who): Reads, Path((id, seq)): Path<(String, String)>) -> Reply<VersionList> {
    let call = calls::Versions { room: room_id(&id)?, seq: message_seq("seq", &seq)? };
    Ok(Answered(VersionList { items: s.messages.answer(&who, call).await? }))
}

/// A message's reactions.
#[derive(Serialize, ToSchema)]
struct Reactions {
    /// In the order of their first use.
    reactions: Vec<Reaction>,
}

async fn set_reaction(s: Shared, who: Caller, (id, seq, emoji): (String, String, String), on: bool) -> Reply<Reactions> {
    let emoji = emoji.try_into().map_err(|why: String| Refusal::invalid("emoji", why))?;
    let call = calls::React { room: room_id(&id)?, seq: message_seq("seq", &seq)?, emoji, on };
    Ok(Answered(Reactions { reactions: s.messages.answer(&who, call).await? }))
}

/// React to a message
///
/// A message has at most 20 different emojis; any text without white space and `/` can be one (`:party:`). All members hear `reactions changed`, unless
/// you have reacted so already.
#[utoipa::path(put, path = "/rooms/{id}/messages/{seq}/reactions/{emoji}", operation_id = "addReaction", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message."),
        ("emoji" = Emoji, Path, description = "The emoji.")),
    security(("token" = [])), responses((status = 200, body = Reactions, description = "The reactions now."), Refuses<400, 404, 409>))]
async fn react(State(s): State<Shared>, Changes(who): Changes, Path(path): Path<(String, String, String)>) -> Reply<Reactions> {
    set_reaction(s, who, path, true).await
}

/// Take a reaction back
#[utoipa::path(delete, path = "/rooms/{id}/messages/{seq}/reactions/{emoji}", operation_id = "removeReaction", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message."),
        ("emoji" = Emoji, Path, description = "The emoji.")),
    security(("token" = [])), responses((status = 200, body = Reactions, description = "The reactions now."), Refuses<400, 404, 409>))]
async fn take_reaction_back(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path(path): Path<(String, String, String)>,
) -> Reply<Reactions> {
    set_reaction(s, who, path, false).await
}

/// Who has reacted with an emoji
///
/// The first ones first.
#[utoipa::path(get, path = "/rooms/{id}/messages/{seq}/reactions/{emoji}", operation_id = "listReactors", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message."),
        ("emoji" = Emoji, Path, description = "The emoji."), Paging),
    security(("token" = [])), responses((status = 200, body = Page<calls::Reactor>, description = "A page of users."), Refuses<400, 404>))]
async fn reactors(
    State(s): State<Shared>,
    Reads(who): Reads,
    Path((id, seq, emoji)): Path<(String, String, String)>,
    Query(page): Query<Paging>,
) -> Reply<Page<calls::Reactor>> {
    let emoji = emoji.try_into().map_err(|why: String| Refusal::invalid("emoji", why))?;
    let (room, seq) = (room_id(&id)?, message_seq("seq", &seq)?);
    Ok(Answered(s.messages.answer(&who, calls::Reactors { room, seq, emoji, after: page.after, limit: limit(page.limit)? }).await?))
}

/// A room's pinned messages
///
/// The newest pin comes first.
#[utoipa::path(get, path = "/rooms/{id}/pins", operation_id = "listPins", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), Paging), security(("token" = [])),
    responses((status = 200, body = Page<Message>, description = "A page of messages."), Refuses<400, 404>))]
async fn pins(State(s): State<Shared>, Reads(who): Reads, Path(id): Path<String>, Query(page): Query<Paging>) -> Reply<Page<Message>> {
    let call = calls::Pins { room: room_id(&id)?, after: page.after, limit: limit(page.limit)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

async fn set_pin(s: Shared, who: Caller, (id, seq): (String, String), on: bool) -> Result<StatusCode, Problem> {
    s.messages.answer(&who, calls::Pin { room: room_id(&id)?, seq: message_seq("seq", &seq)?, on }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pin a message
///
/// The members of a direct room or a group may, and a channel's owner. A room has at most 100 pins. All members hear `message pinned`, unless it is
/// pinned already.
#[utoipa::path(put, path = "/rooms/{id}/pins/{seq}", operation_id = "pinMessage", tag = "messages", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message.")),
    responses((status = 204, description = "Pinned."), Refuses<400, 404, 409>))]
async fn pin(State(s): State<Shared>, Changes(who): Changes, Path(path): Path<(String, String)>) -> Result<StatusCode, Problem> {
    set_pin(s, who, path, true).await
}

/// Unpin a message
#[utoipa::path(delete, path = "/rooms/{id}/pins/{seq}", operation_id = "unpinMessage", tag = "messages", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message.")),
    responses((status = 204, description = "Not pinned."), Refuses<400, 404>))]
async fn unpin(State(s): State<Shared>, Changes(who): Changes, Path(path): Path<(String, String)>) -> Result<StatusCode, Problem> {
    set_pin(s, who, path, false).await
}
