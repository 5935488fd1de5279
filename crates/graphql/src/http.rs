//! Every route of this edge: `/graphql` takes requests, opens WebSockets, and has a page to look around.

use crate::answer::{self, Form};
use crate::budget::Budget;
use crate::document::{GraphqlAnswer, GraphqlRequest, Refused};
use crate::feed::Feed;
use crate::request::{Body, InQuery, May, Parameters};
use crate::request_context::RequestContext;
use crate::schema::{Schema, schema};
use crate::settings::Settings;
use crate::socket::{self, Sockets};
use crate::{page, schema::sdl};
use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::response::Response;
use axum::routing::get;
use bus::Bus;
use contract::{Caller, Clock};
use edge::{Admission, Problem, Reads};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vital::Vital;

/// GraphQL at work. When the last handle is dropped, nothing more is listened to.
#[derive(Clone)]
pub struct Graphql(Arc<Inner>);

struct Inner {
    schema: Schema,
    bus: Bus,
    settings: Settings,
    admission: Arc<Admission>,
    sockets: Arc<Sockets>,
    vital: Vital,
}

impl Inner {
    /// The context of one request.
    fn context(&self, who: Caller) -> RequestContext {
        let budget = Arc::new(Budget::new(&self.settings.limits));
        RequestContext { bus: self.bus.clone(), admission: Arc::clone(&self.admission), who, budget }
    }
}

#[derive(Clone)]
struct GraphqlState(Arc<Inner>);

impl FromRef<GraphqlState> for Bus {
    fn from_ref(state: &GraphqlState) -> Bus {
        state.0.bus.clone()
    }
}

impl FromRef<GraphqlState> for Arc<Admission> {
    fn from_ref(state: &GraphqlState) -> Arc<Admission> {
        Arc::clone(&state.0.admission)
    }
}

impl Graphql {
    /// Starts to listen to the bus; call it within the runtime. Services may be registered on the bus before or after.
    pub fn start(bus: Bus, settings: Settings, clock: Clock, admission: Arc<Admission>) -> Self {
        let vital = Vital::new();
        let schema = schema(Feed::start(bus.clone(), &vital), &settings.limits);
        let sockets = Sockets::new(bus.clone(), schema.clone(), settings, clock, Arc::clone(&admission));
        Self(Arc::new(Inner { schema, bus, settings, admission, sockets, vital }))
    }

    /// What this edge cannot do without.
    pub fn vital(&self) -> Vital {
        self.0.vital.clone()
    }

    /// Every route. To be served inside [`edge::outer()`].
    pub fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::with_openapi(edge::document())
            .routes(routes!(execute, look))
            .route("/graphql/{file}", get(page::file))
            .route("/graphql/schema.graphql", get(async || page::text(sdl())))
            .with_state(GraphqlState(Arc::clone(&self.0)))
    }

    /// Closes every socket, with a code after which clients come back, and takes no new ones.
    pub async fn close(&self) {
        self.0.sockets.close().await;
    }
}

/// Ask in GraphQL
///
/// For retrieval, with the same rights as REST; docs/graphql.md and the schema at `/graphql/schema.graphql` say what there is. An error is in
/// `errors`, with a code of this document's `Problem` as its `extensions.code`. Also takes a list of up to 10 requests.
#[utoipa::path(post, path = "/graphql", operation_id = "graphql", tag = "graphql", request_body = GraphqlRequest, security(("token" = [])),
    responses((status = 200, description = "`data`, and `errors` where there are any.",
        content((GraphqlAnswer = "application/json"), (GraphqlAnswer = "application/graphql-response+json"))), Refused))]
async fn execute(State(GraphqlState(graphql)): State<GraphqlState>, who: Result<Reads, Problem>, request: Request) -> Response {
    let form = Form::wanted(request.headers());
    match take(&graphql, who, request, form).await {
        Ok(response) => response,
        Err(Problem(refusal)) => answer::refused(refusal, form),
    }
}

async fn take(graphql: &Inner, who: Result<Reads, Problem>, request: Request, form: Form) -> Result<Response, Problem> {
    let Reads(who) = who?;
    let text = edge::json_text(request).await?;
    let context = graphql.context(who);
    Ok(match Body::read(&text, &graphql.settings.limits)? {
        Body::One(parameters) => answer::one(run(graphql, &context, parameters, May::Change).await, form),
        Body::Batch(several) => {
            let mut responses = answer::Batch::new();
            // One after the other: a batch must not occupy more readers than other requests.
            for (number, parameters) in several.into_iter().enumerate() {
                // The first is paid for with the request.
                let refused = if number == 0 { None } else { context.pay_more(1).err() };
                responses.add(match refused {
                    Some(refusal) => async_graphql::Response::from_errors(vec![crate::refuse::server_error(&refusal)]),
                    None => run(graphql, &context, parameters, May::Change).await,
                });
            }
            responses.told(form)
        }
    })
}

/// Try GraphQL, or ask by GET
///
/// Without a query it is a page to look at the schema and to try it. With `query`, `operationName` and `variables` in the query string it
/// answers like `POST /graphql`, and needs a token as that does. It is also where WebSockets are opened, subprotocol
/// `graphql-transport-ws`.
#[utoipa::path(get, path = "/graphql", operation_id = "getGraphqlPage", tag = "graphql", params(InQuery), security((), ("token" = [])),
    responses((status = 200, description = "The page, or an answer.", content((String = "text/html"), (GraphqlAnswer = "application/json"),
        (GraphqlAnswer = "application/graphql-response+json"))), Refused))]
async fn look(State(state): State<GraphqlState>, request: Request) -> Response {
    // The page is for everybody, and on a socket the token comes later: neither counts as a call without a token.
    let graphql = &*state.0;
    if websocket::is_asked_for(request.headers()) {
        return socket::open(Arc::clone(&graphql.sockets), request);
    }
    let (mut parts, _) = request.into_parts();
    let asks = |query: &str| query.split('&').any(|pair| pair.starts_with("query="));
    if !parts.uri.query().is_some_and(asks) {
        return page::index();
    }
    let form = Form::wanted(&parts.headers);
    let who = Reads::from_request_parts(&mut parts, &state).await;
    let parameters = edge::read_query::<InQuery>(parts.uri.query().unwrap_or_default()).and_then(InQuery::parameters);
    match (who, parameters) {
        (Ok(Reads(who)), Ok(parameters)) => {
            let context = graphql.context(who);
            answer::one(run(graphql, &context, parameters, May::Read).await, form)
        }
        (Err(Problem(refusal)), _) | (_, Err(refusal)) => answer::refused(refusal, form),
    }
}

/// Runs one request, if it may.
async fn run(graphql: &Inner, context: &RequestContext, parameters: Parameters, may: May) -> async_graphql::Response {
    match parameters.admit(&graphql.settings.limits, may) {
        Ok(admitted) => context.checked(graphql.schema.execute(admitted.request.data(context.clone())).await),
        Err(refused) => *refused,
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
