//! The messages that mention the caller.

use super::{Paging, Reply, Shared, limit};
use axum::Json as Answered;
use axum::extract::State;
use contract::calls::mentions::MyMentions;
use contract::{Answer, Message, Page};
use edge::{Looks, Problem, Query, Refuses};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(mine))
}

/// The messages that mention you
///
/// By name or with everybody, in all of your rooms; the newest first. Of those to everybody, what others have sent since you joined.
#[utoipa::path(get, path = "/users/me/mentions", operation_id = "listMyMentions", tag = "messages",
    params(Paging), security(("token" = [])),
    responses((status = 200, body = Page<Message>, description = "A page of messages."), Refuses<400>))]
async fn mine(State(s): State<Shared>, Looks(who, paid): Looks, params: Result<Query<Paging>, Problem>) -> Reply<Page<Message>> {
    let answer = match params.and_then(|Query(page)| Ok(MyMentions { after: page.after, limit: limit(page.limit)? })) {
        Ok(call) => s.messages.answer(&who, call).await.map_err(Problem::from),
        Err(refused) => Err(refused),
    };
    paid.looked_at(answer.as_ref().map_or(0, |page| page.items.len()));
    Ok(Answered(answer?))
}
