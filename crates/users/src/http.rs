//! The REST edge: every route of `/users` on one page. Each handler reads the request, asks the bus, and answers; the OpenAPI document is
//! made of what stands here.

use crate::passed_on;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bus::Bus;
use contract::calls::messages::MyRooms;
use contract::calls::users::{ChangePassword, ChangeProfile, GetUser, ListOnline, ListUsers, Login, LoginAnswer, Logout, Me};
use contract::{Caller, Claimed, Claims, Limit, NewDisplayName, NewStatus, Page, Password, Patch, Refusal, Room, User, Username};
use edge::{Admission, Changes, Json, Logins, Passwords, Path, Problem, Query, Reads, Refuses, Token};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every route of this service, with its part of the OpenAPI document.
pub fn routes(bus: Bus, admission: Arc<Admission>) -> OpenApiRouter {
    OpenApiRouter::with_openapi(edge::document())
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(me, update_me))
        .routes(routes!(change_password))
        .routes(routes!(online))
        .routes(routes!(directory))
        .routes(routes!(user))
        .routes(routes!(rooms))
        .with_state(Edge { bus: bus.clone(), admission: Arc::clone(&admission) })
        .merge(passed_on::routes(bus, admission))
}

#[derive(Clone)]
struct Edge {
    bus: Bus,
    admission: Arc<Admission>,
}

impl FromRef<Edge> for Bus {
    fn from_ref(edge: &Edge) -> Bus {
        edge.bus.clone()
    }
}

impl FromRef<Edge> for Arc<Admission> {
    fn from_ref(edge: &Edge) -> Arc<Admission> {
        Arc::clone(&edge.admission)
    }
}

/// Who logs in.
#[derive(Deserialize, ToSchema)]
struct LoginBody {
    username: Username,
    /// Needed but in `open` mode.
    password: Option<Password>,
}

/// Log in
///
/// Creates the user who does not exist yet, where registration is open. In `open` mode a username is enough; in `jwt` mode there are no
/// logins. One address may log in a limited number of times a minute.
#[utoipa::path(
    post, path = "/users/login", operation_id = "logIn", tag = "users", request_body = LoginBody,
    responses(
        (status = 200, description = "Logged in.", body = LoginAnswer),
        (status = 201, description = "Created and logged in.", body = LoginAnswer),
        Refuses<400, 413, 415>,
    ),
    security(()),
)]
async fn log_in(State(edge): State<Edge>, Logins(attempt): Logins, Json(body): Json<LoginBody>) -> Result<Response, Problem> {
    let _turn = attempt.turn().await?;
    let call = Login { username: body.username, password: body.password };
    let answer = edge.bus.ask(&Caller::Anonymous, call).await?;
    edge.admission.gave_out(&answer.login.token);
    let status = if answer.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(answer.login)).into_response())
}

/// Log out
///
/// Revokes the token of this request and cuts the sockets that came with it.
#[utoipa::path(
    post, path = "/users/logout", operation_id = "logOut", tag = "users",
    responses((status = 204, description = "The token is revoked."), Refuses),
    security(("token" = [])),
)]
async fn log_out(State(edge): State<Edge>, Changes(who): Changes, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let Token(token) = Token::of(&headers)?;
    edge.bus.ask(&who, Logout { token: Some(token) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Yourself
#[utoipa::path(
    get, path = "/users/me", operation_id = "getMe", tag = "users",
    responses((status = 200, description = "Your user.", body = User), Refuses),
    security(("token" = [])),
)]
async fn me(State(edge): State<Edge>, Reads(who): Reads) -> Result<axum::Json<User>, Problem> {
    Ok(axum::Json(edge.bus.ask(&who, Me {}).await?))
}

/// What is to change about you. What is left out stays.
#[derive(Deserialize, ToSchema)]
struct ProfileChange {
    #[serde(default)]
    #[schema(value_type = NewDisplayName, required = false)]
    display_name: Patch<NewDisplayName>,
    /// What you say beside your name; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<NewStatus>)]
    status: Patch<NewStatus>,
    /// A merge patch (RFC 7396) of the metadata, of which 4 KiB at the most come; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Map<String, Value>>,
    /// Not needed; if it is there, it has to be your own username, which never changes.
    username: Option<String>,
}

impl Claims for ProfileChange {
    fn claimed(&self) -> Claimed<'_> {
        Claimed { sender: None, username: self.username.as_deref() }
    }
}

/// Change your display name, status and metadata
///
/// Your contacts hear `user updated`, and so do your own sockets, unless nothing changes.
#[utoipa::path(
    patch, path = "/users/me", operation_id = "updateMe", tag = "users", request_body = ProfileChange,
    responses((status = 200, description = "Your user as it is now.", body = User), Refuses<400, 413, 415>),
    security(("token" = [])),
)]
async fn update_me(State(edge): State<Edge>, Changes(who): Changes, Json(body): Json<ProfileChange>) -> Result<axum::Json<User>, Problem> {
    who.user()?.check_claim(&body)?;
    let ProfileChange { display_name, status, metadata, .. } = body;
    let display_name = display_name.value("display_name")?.map(Into::into);
    Ok(axum::Json(edge.bus.ask(&who, ChangeProfile { display_name, status: status.map(Into::into), metadata }).await?))
}

/// Change your password
///
/// Revokes all of your other tokens and cuts their sockets. A wrong current password is `invalid_credentials`.
#[utoipa::path(
    put, path = "/users/me/password", operation_id = "changePassword", tag = "users", request_body = ChangePassword,
    responses((status = 204, description = "The password is changed."), Refuses<400, 413, 415>),
    security(("token" = [])),
)]
async fn change_password(
    State(edge): State<Edge>,
    Passwords(who, attempt): Passwords,
    Json(call): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let _turn = attempt.turn().await?;
    edge.bus.ask(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// Who is online
///
/// Everyone with a live, authenticated socket anywhere, by username.
#[utoipa::path(
    get, path = "/users/online", operation_id = "listOnline", tag = "users", params(PageQuery),
    responses((status = 200, description = "A page of users.", body = Page<User>), Refuses<400>),
    security(("token" = [])),
)]
async fn online(State(edge): State<Edge>, Reads(who): Reads, Query(page): Query<PageQuery>) -> Result<axum::Json<Page<User>>, Problem> {
    Ok(axum::Json(edge.bus.ask(&who, ListOnline { after: page.after, limit: page.limit }).await?))
}

/// Which part of the directory.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DirectoryQuery {
    /// Only usernames that begin so.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    prefix: String,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many items.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// The directory
///
/// Users by username, with whether they are online.
#[utoipa::path(
    get, path = "/users", operation_id = "listUsers", tag = "users", params(DirectoryQuery),
    responses((status = 200, description = "A page of users.", body = Page<User>), Refuses<400>),
    security(("token" = [])),
)]
async fn directory(
    State(edge): State<Edge>,
    Reads(who): Reads,
    Query(query): Query<DirectoryQuery>,
) -> Result<axum::Json<Page<User>>, Problem> {
    // Usernames are lower-case, whatever is typed.
    let call = ListUsers { prefix: query.prefix.to_ascii_lowercase(), after: query.after, limit: query.limit };
    Ok(axum::Json(edge.bus.ask(&who, call).await?))
}

/// One user
#[utoipa::path(
    get, path = "/users/{username}", operation_id = "getUser", tag = "users",
    params(("username" = Username, Path, description = "Whose.")),
    responses((status = 200, description = "The user, with whether they are online.", body = User), Refuses<404>),
    security(("token" = [])),
)]
async fn user(State(edge): State<Edge>, Reads(who): Reads, Path(username): Path<String>) -> Result<axum::Json<User>, Problem> {
    let username = edge::username(&username)?;
    Ok(axum::Json(edge.bus.ask(&who, GetUser { username }).await?))
}

/// Your rooms
///
/// Newest activity first. Only your own: `me` stands for yourself, somebody else's are `forbidden`.
#[utoipa::path(
    get, path = "/users/{username}/rooms", operation_id = "listMyRooms", tag = "users",
    params(("username" = Username, Path, description = "Yourself, by name or as `me`."), PageQuery),
    responses((status = 200, description = "A page of rooms.", body = Page<Room>), Refuses<400, 404>),
    security(("token" = [])),
)]
async fn rooms(
    State(edge): State<Edge>,
    Reads(who): Reads,
    Path(username): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Room>>, Problem> {
    if username != "me" && edge::username(&username)? != who.user()?.username {
        return Err(Refusal::forbidden("only your own rooms can be listed").about("username").into());
    }
    Ok(axum::Json(edge.bus.ask(&who, MyRooms { after: page.after, limit: page.limit }).await?))
}
