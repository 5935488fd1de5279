//! The REST calls about rooms and messages. A handler reads the request, asks the service, and answers what it gets; it decides nothing.

use crate::service::Messages;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json as Answered, extract::FromRef};
use bus::Bus;
use contract::calls::messages as calls;
use contract::message::Version;
use contract::{
    Answer, Body, Caller, Emoji, Format, Limit, Message, MessageType, Metadata, NewRoomName, Nonce, Page, Patch, Reaction, Reason, Refusal,
    Room, RoomId, Topic, User, Username, claiming, wire,
};
use edge::{Admission, Changes, Json, Looks, Path, Problem, Query, Reads, Refuses, Sends, room_id, username};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
        .routes(routes!(list_channels, create_room))
        .routes(routes!(get_room, update_room))
        .routes(routes!(list_members))
        .routes(routes!(add_member, remove_member))
        .routes(routes!(history, send))
        .routes(routes!(delete_messages))
        .routes(routes!(get_message, edit_message, delete_message))
        .routes(routes!(versions))
        .routes(routes!(reactors, react, take_reaction_back))
        .routes(routes!(pins))
        .routes(routes!(pin, unpin))
        .routes(routes!(room_events))
        .routes(routes!(mark_read))
        .routes(routes!(recent))
        .routes(routes!(search))
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

/// Make somebody a member
///
/// Any member of a group may add others; a channel everybody joins for themselves. Nothing happens to those who are in it already.
#[utoipa::path(put, path = "/rooms/{id}/members/{username}", operation_id = "addMember", tag = "rooms", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("username" = Username, Path, description = "Whose membership.")),
    responses((status = 204, description = "A member now."), Refuses<404, 409>))]
async fn add_member(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let call = calls::AddMember { room: room_id(&id)?, username: username(&name)? };
    s.messages.answer(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave a room, or as its owner remove somebody
#[utoipa::path(delete, path = "/rooms/{id}/members/{username}", operation_id = "removeMember", tag = "rooms", security(("token" = [])),
    params(("id" = RoomId, Path, description = "The room."), ("username" = Username, Path, description = "Whose membership.")),
    responses((status = 204, description = "Not a member any more."), Refuses<404>))]
async fn remove_member(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path((id, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let call = calls::RemoveMember { room: room_id(&id)?, username: username(&name)? };
    s.messages.answer(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which messages of a room.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryParams {
    /// Only messages just before this seq.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Only messages just after this seq.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Messages around this seq: up to half of `limit` before it, the rest from it on.
    #[param(minimum = 0)]
    around: Option<i64>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
}

/// A room's messages
///
/// Always ascending, each as it is now: the newest ones; or those just before a `seq` (page back with the first item's); or those just after
/// one; or those around one. Pass `next` back as `after` for those that follow; it is null where there are none.
#[utoipa::path(get, path = "/rooms/{id}/messages", operation_id = "listMessages", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), HistoryParams), security(("token" = [])),
    responses((status = 200, body = calls::HistoryPage, description = "A page of messages."), Refuses<400, 404>))]
async fn history(
    State(s): State<Shared>,
    Reads(who): Reads,
    Path(id): Path<String>,
    Query(params): Query<HistoryParams>,
) -> Reply<calls::HistoryPage> {
    let HistoryParams { before, after, around, limit: items } = params;
    let (room, limit) = (room_id(&id)?, limit(items)?);
    if let Some(seq) = around {
        if before.is_some() || after.is_some() {
            return Err(Refusal::invalid("around", "give around, before or after, only one of them").into());
        }
        return Ok(Answered(s.messages.answer(&who, calls::Around { room, seq, limit }).await?));
    }
    let Page { items, next } = s.messages.answer(&who, calls::History { room, before, after, limit }).await?;
    Ok(Answered(calls::HistoryPage { items, before: Patch::Keep, next }))
}

claiming! {
    /// A message to send.
    #[derive(Deserialize, ToSchema)]
    struct NewMessage {
        /// The text; it may be empty where there are `metadata` and a `type`.
        body: Body,
        /// Your key for this send: the same send again returns the first message.
        nonce: Option<Nonce>,
        /// Your application's own word for what it is.
        #[serde(rename = "type")]
        message_type: Option<MessageType>,
        /// How the text is meant; plain when absent.
        format: Option<Format>,
        /// What your application notes on it: at most 4 KiB as JSON, and 5 objects and arrays inside one another.
        metadata: Option<Metadata>,
        /// The seq of the earlier message of the room that it answers.
        #[serde(default, deserialize_with = "contract::whole::maybe")]
        #[schema(minimum = 1)]
        reply_to: Option<i64>,
    }
}

/// Send a message
///
/// The answer means that it is on disk. With a `nonce` it can be sent again without fear.
#[utoipa::path(post, path = "/rooms/{id}/messages", operation_id = "sendMessage", tag = "messages",
    params(("id" = RoomId, Path, description = "The room.")), request_body = NewMessage,
    security(("token" = [])),
    responses((status = 201, body = Message, description = "Sent."),
        (status = 200, body = Message, description = "The nonce had been seen: the first message."),
        Refuses<400, 404, 409>, Refuses<413, 415>))]
async fn send(
    State(s): State<Shared>,
    Sends(who, paid): Sends,
    Path(id): Path<String>,
    Json(body): Json<NewMessage>,
) -> Result<(StatusCode, Answered<Message>), Problem> {
    who.user()?.check_claim(&body)?;
    let NewMessage { body, nonce, message_type, format, metadata, reply_to, .. } = body;
    let rich = calls::Rich { message_type, format, metadata, reply_to };
    let sent = s.messages.answer(&who, calls::Send { room: room_id(&id)?, body, nonce, rich }).await?;
    let status = if sent.created { StatusCode::CREATED } else { StatusCode::OK };
    if sent.created {
        paid.counted();
    }
    Ok((status, Answered(sent.message)))
}

/// One message
///
/// As it is now; of a deleted one, what is left.
#[utoipa::path(get, path = "/rooms/{id}/messages/{seq}", operation_id = "getMessage", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), ("seq" = i64, Path, minimum = 1, example = 1, description = "The message.")),
    security(("token" = [])), responses((status = 200, body = Message, description = "The message."), Refuses<400, 404>))]
async fn get_message(State(s): State<Shared>, Reads(who): Reads, Path((id, seq)): Path<(String, String)>) -> Reply<Message> {
    let call = calls::GetMessage { room: room_id(&id)?, seq: message_seq(&seq)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

/// The seq in a path.
fn message_seq(text: &str) -> Result<i64, Problem> {
    let wrong = || Refusal::invalid("seq", "a message is named by its seq: a whole number, 1 or more");
    Ok(text.parse().ok().filter(|seq| *seq > 0).ok_or_else(wrong)?)
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
    Path((id, seq)): Path<(String, String)>,
    Json(body): Json<MessageChange>,
) -> Reply<Message> {
    who.user()?.check_claim(&body)?;
    let MessageChange { body, format, metadata, if_rev, .. } = body;
    let (room, seq, body) = (room_id(&id)?, message_seq(&seq)?, body.value("body")?);
    let call = calls::EditMessage { room, seq, body, format, metadata, if_rev };
    Ok(Answered(s.messages.answer(&who, call).await?))
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
    let call = calls::DeleteMessage { room: room_id(&id)?, seq: message_seq(&seq)?, reason: params.reason };
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
    let call = calls::Versions { room: room_id(&id)?, seq: message_seq(&seq)? };
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
    let call = calls::React { room: room_id(&id)?, seq: message_seq(&seq)?, emoji, on };
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
    let (room, seq) = (room_id(&id)?, message_seq(&seq)?);
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
    s.messages.answer(&who, calls::Pin { room: room_id(&id)?, seq: message_seq(&seq)?, on }).await?;
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

claiming! {
    /// A read mark.
    #[derive(Deserialize, ToSchema)]
    struct NewMark {
        /// Read up to here; past the head means the head.
        #[serde(deserialize_with = "contract::whole::number")]
        #[schema(minimum = 0)]
        seq: i64,
    }
}

/// Move your read mark
///
/// It never goes back.
#[utoipa::path(put, path = "/rooms/{id}/read", operation_id = "markRead", tag = "messages",
    params(("id" = RoomId, Path, description = "The room.")), request_body = NewMark, security(("token" = [])),
    responses((status = 200, body = calls::ReadMark, description = "Where it stands now."), Refuses<400, 404, 413, 415>))]
async fn mark_read(
    State(s): State<Shared>,
    Changes(who): Changes,
    Path(id): Path<String>,
    Json(body): Json<NewMark>,
) -> Reply<calls::ReadMark> {
    who.user()?.check_claim(&body)?;
    Ok(Answered(s.messages.answer(&who, calls::MarkRead { room: room_id(&id)?, seq: body.seq }).await?))
}

/// Which recent messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RecentParams {
    /// Only from this sender.
    from: Option<Username>,
    /// How many days back.
    #[param(minimum = 1, maximum = 3650, default = 30)]
    days: Option<i64>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<i64>,
}

/// What others sent you lately
///
/// Messages in all of your rooms since you joined each, newest first. It looks back over the newest 10,000 messages and other changes of your
/// rooms, your own among them, and tells nothing that is older.
#[utoipa::path(get, path = "/messages/recent", operation_id = "listRecentMessages", tag = "messages",
    params(RecentParams), security(("token" = [])),
    responses((status = 200, body = Page<Message>, description = "A page of messages."), Refuses<400, 404>))]
async fn recent(State(s): State<Shared>, Looks(who, paid): Looks, params: ParsedQuery<RecentParams>) -> Reply<Page<Message>> {
    let answer = match params.and_then(|Query(params)| params.call()) {
        Ok(call) => s.messages.answer(&who, call).await.map_err(Problem::from),
        Err(refused) => Err(refused),
    };
    paid.looked_at(answer.as_ref().map_or(0, |recently| recently.looked_at));
    Ok(Answered(Page { items: answer?.messages, next: None }))
}

/// The query parameters of a call that may read much, or why they cannot be read. The caller has paid before they are read, so the handler
/// gives back what a bad query did not cost.
type ParsedQuery<T> = Result<Query<T>, Problem>;

impl RecentParams {
    fn call(self) -> Result<calls::Recent, Problem> {
        let limit = self.limit.map(Limit::try_from).transpose()?.unwrap_or(Limit::MOST);
        // The service refuses 0 days, in its words.
        let days = u16::try_from(self.days.unwrap_or(30)).unwrap_or(0);
        Ok(calls::Recent { from: self.from, days, limit })
    }
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchParams {
    /// Words, `prefixes*` and `"phrases"`; a message has all of them.
    #[serde(default)]
    #[param(required, min_length = 1, max_length = 500, example = "good morn*")]
    q: String,
    /// Only in this room.
    #[param(value_type = Option<RoomId>)]
    room: Option<String>,
    /// Only from this sender.
    from: Option<Username>,
    /// The `next` of the page before, of the same search.
    before: Option<String>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
}

/// Search your messages
///
/// Full text over the whole history of the rooms that you are in now, newest first. A message is found that has all of the words;
/// `hel*` stands for every word that begins so, `"good morning"` for the words in that order. Case and diacritics do not matter; Chinese, Japanese
/// and Korean are found by any characters in a row. Each item has an `excerpt` in pieces, of which those that matched say so. Pass `next` back as
/// `before` for older ones until it is null: a page may hold fewer than `limit`, even none, where much had to be looked at.
#[utoipa::path(get, path = "/messages/search", operation_id = "searchMessages", tag = "messages",
    params(SearchParams), security(("token" = [])),
    responses((status = 200, body = Page<calls::Found>, description = "A page of what was found."), Refuses<400, 404>))]
async fn search(State(s): State<Shared>, Looks(who, paid): Looks, params: ParsedQuery<SearchParams>) -> Reply<Page<calls::Found>> {
    let answer = match params.and_then(|Query(params)| params.call()) {
        Ok(call) => s.messages.answer(&who, call).await.map_err(Problem::from),
        Err(refused) => Err(refused),
    };
    paid.looked_at(answer.as_ref().map_or(0, |searched| searched.looked_at));
    Ok(Answered(answer?.page))
}

impl SearchParams {
    fn call(self) -> Result<calls::Search, Problem> {
        let room = self.room.as_deref().map(room_id).transpose()?;
        Ok(calls::Search { q: self.q, room, from: self.from, before: self.before, limit: limit(self.limit)? })
    }
}
