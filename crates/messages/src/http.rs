//! The REST calls about rooms and messages. A handler reads the request, asks the service, and answers what it gets; it decides nothing.

use crate::service::Messages;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json as Answered, extract::FromRef};
use bus::Bus;
use contract::calls::messages as calls;
use contract::{Answer, Body, Limit, Message, NewRoomName, Nonce, Page, Room, RoomId, User, Username, claiming, wire};
use edge::{Admission, Changes, Json, Looks, Path, Problem, Query, Reads, Refuses, Sends, room_id, username};
use serde::Deserialize;
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
        .routes(routes!(get_room, rename_room))
        .routes(routes!(list_members))
        .routes(routes!(add_member, remove_member))
        .routes(routes!(history, send))
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
    /// A room's new name.
    #[derive(Deserialize, ToSchema)]
    struct NewName {
        name: NewRoomName,
    }
}

/// Rename a room
///
/// Its owner may. A direct room has no name.
#[utoipa::path(patch, path = "/rooms/{id}", operation_id = "renameRoom", tag = "rooms",
    params(("id" = RoomId, Path, description = "The room.")), request_body = NewName, security(("token" = [])),
    responses((status = 200, body = Room, description = "The room as it is now."), Refuses<400, 404, 413, 415>))]
async fn rename_room(State(s): State<Shared>, Changes(who): Changes, Path(id): Path<String>, Json(body): Json<NewName>) -> Reply<Room> {
    who.user()?.check_claim(&body)?;
    Ok(Answered(s.messages.answer(&who, calls::RenameRoom { room: room_id(&id)?, name: body.name.into() }).await?))
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
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
}

/// A room's messages
///
/// Always ascending: the newest ones; or those just before a `seq` (page back with the first item's); or those just after one. Pass
/// `next` back as `after` for those that follow; it is null where there are none.
#[utoipa::path(get, path = "/rooms/{id}/messages", operation_id = "listMessages", tag = "messages",
    params(("id" = RoomId, Path, description = "The room."), HistoryParams), security(("token" = [])),
    responses((status = 200, body = Page<Message>, description = "A page of messages."), Refuses<400, 404>))]
async fn history(
    State(s): State<Shared>,
    Reads(who): Reads,
    Path(id): Path<String>,
    Query(params): Query<HistoryParams>,
) -> Reply<Page<Message>> {
    let call = calls::History { room: room_id(&id)?, before: params.before, after: params.after, limit: limit(params.limit)? };
    Ok(Answered(s.messages.answer(&who, call).await?))
}

claiming! {
    /// A message to send.
    #[derive(Deserialize, ToSchema)]
    struct NewMessage {
        body: Body,
        /// Your key for this send: the same send again returns the first message.
        nonce: Option<Nonce>,
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
    let sent = s.messages.answer(&who, calls::Send { room: room_id(&id)?, body: body.body, nonce: body.nonce }).await?;
    let status = if sent.created { StatusCode::CREATED } else { StatusCode::OK };
    if sent.created {
        paid.counted();
    }
    Ok((status, Answered(sent.message)))
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
