//! Sending messages, and reading them.

use super::{Reply, Shared, limit};
use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use contract::calls::messages as calls;
use contract::message::Mentions;
use contract::{
    Answer, Body, Format, Limit, Message, MessageType, Metadata, Nonce, Page, Patch, Refusal, RoomId, StateKey, Username, claiming,
};
use edge::{Changes, Json, Looks, Path, Problem, Query, Reads, Refuses, Sends, Warnings, room_id};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(history, send)).routes(routes!(mark_read)).routes(routes!(recent)).routes(routes!(search))
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
    /// The messages of the thread that begins with this seq, without that message; else the room's messages, without those that stand in threads
    /// alone.
    #[param(minimum = 1)]
    thread: Option<i64>,
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
    let HistoryParams { before, after, around, thread, limit: items } = params;
    let (room, limit) = (room_id(&id)?, limit(items)?);
    if let Some(seq) = around {
        if before.is_some() || after.is_some() {
            return Err(Refusal::invalid("around", "give around, before or after, only one of them").into());
        }
        return Ok(Answered(s.messages.answer(&who, calls::Around { room, seq, thread, limit }).await?));
    }
    let Page { items, next } = s.messages.answer(&who, calls::History { room, before, after, thread, limit }).await?;
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
        /// The seq of the message of the room in whose thread it is written.
        #[serde(default, deserialize_with = "contract::whole::maybe")]
        #[schema(minimum = 1)]
        thread: Option<i64>,
        /// Whether a message in a thread stands among the room's messages too.
        #[serde(default)]
        also_in_room: bool,
        /// Whom it mentions: up to 50 members by name, and with `room` everybody.
        mentions: Option<Mentions>,
        /// A key of your own state that is to go with this send: the draft of this message.
        clears: Option<StateKey>,
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
    warnings: Warnings,
    Path(id): Path<String>,
    Json(body): Json<NewMessage>,
) -> Result<(StatusCode, Answered<Message>), Problem> {
    who.user()?.check_claim(&body)?;
    let NewMessage { body, nonce, message_type, format, metadata, reply_to, thread, also_in_room, mentions, clears, .. } = body;
    let rich = calls::Rich { message_type, format, metadata, reply_to, thread, also_in_room, mentions, clears };
    let sent = s.messages.answer(&who, calls::Send { room: room_id(&id)?, body, nonce, rich }).await?;
    warnings.add(sent.warnings);
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
    /// Words, `prefixes*` and `"phrases"`; a message has all of them. It may be left out with `sender`, `thread`, `mentions=me` or `pinned=true`.
    #[serde(default)]
    #[param(max_length = 500, example = "good morn*")]
    q: String,
    /// Only in this room.
    #[param(value_type = Option<RoomId>)]
    room: Option<String>,
    /// Only from this sender.
    sender: Option<Username>,
    /// The older name of `sender`.
    from: Option<Username>,
    /// `true`: only messages that are pinned now.
    pinned: Option<bool>,
    /// Only messages in the thread that begins with this seq; needs `room`.
    #[param(minimum = 1)]
    thread: Option<i64>,
    /// `me`: only messages that mention you, by name or with everybody.
    #[param(value_type = Option<String>, example = "me", pattern = "^me$")]
    mentions: Option<String>,
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
/// and Korean are found by any characters in a row. Each item has an `excerpt` in pieces, of which those that matched say so. With `sender`, `thread`, `mentions=me` or `pinned=true`
/// you may leave out `q`: all such messages are found then, and an excerpt is a message's beginning. Pass `next` back as `before` for older ones until
/// it is null: a page may hold fewer than `limit`, even none, where much had to be looked at.
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
        let Self { q, sender, from, pinned, thread, before, .. } = self;
        let mentions_me = match self.mentions.as_deref() {
            None => false,
            Some("me") => true,
            Some(_) => return Err(Refusal::invalid("mentions", "mentions can only be me: what mentions others is not told").into()),
        };
        Ok(calls::Search { q, room, sender, from, pinned: pinned.unwrap_or(false), thread, mentions_me, before, limit: limit(self.limit)? })
    }
}
