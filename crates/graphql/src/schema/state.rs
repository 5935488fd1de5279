//! A user's own state.

use crate::paging::limit;
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Json, Object, Result};
use contract::calls::state::{ListState, StateItem};
use contract::{Refusal, StateKey, StateValue};

/// Values by key, each at its key.
pub(crate) type States = Connection<String, State, EmptyFields, EmptyFields>;

/// A value of your own state.
pub(crate) struct State(StateItem);

#[Object(name = "StateItem")]
impl State {
    /// Its key.
    async fn key(&self) -> &str {
        self.0.key.as_str()
    }

    /// The value: any JSON but null.
    async fn value(&self, ctx: &Context<'_>) -> Result<Option<Json<&StateValue>>> {
        let value = &self.0.value;
        Ok(RequestContext::of(ctx)?.tell_bytes(value.bytes()).then_some(Json(value)))
    }

    /// Names the last change of it.
    async fn stamp(&self) -> ID {
        self.0.stamp.to_string().into()
    }
}

/// A page of the asking user's own state.
pub(super) async fn page(context: &RequestContext, prefix: Option<String>, first: Option<i32>, after: Option<String>) -> Result<States> {
    let prefix = prefix.filter(|prefix| !prefix.is_empty()).map(StateKey::try_from).transpose();
    let prefix = prefix.map_err(|why| refuse(Refusal::invalid("prefix", why)))?;
    let (limit, goes_on) = (limit("first", first).map_err(refuse)?, after.is_some());
    let page = context.ask(ListState { prefix, after, limit }).await.map_err(refuse)?;
    let mut states = Connection::new(goes_on, page.next.is_some());
    states.edges.extend(page.items.into_iter().map(|item| Edge::new(item.key.as_str().to_owned(), State(item))));
    Ok(states)
}
