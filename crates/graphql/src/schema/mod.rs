//! What can be asked. The doc comments of these types are the SDL's descriptions.

mod found;
mod mentions;
mod message;
mod query;
mod reaction;
mod room;
mod room_event;
mod scalars;
mod state;
mod subscription;
mod thread;
mod thread_info;
mod user;

use crate::feed::Feed;
use crate::limits::Limits;
use crate::operation_cost::OperationCost;
use async_graphql::EmptyMutation;
use std::sync::Arc;

use query::Query;
use subscription::Subscription;

/// The schema; cheap to clone.
pub(crate) type Schema = async_graphql::Schema<Query, EmptyMutation, Subscription>;

/// The schema over a feed. [`crate::query_limits`] holds queries to all limits except that on complexity, which needs the types.
pub(crate) fn schema(feed: Arc<Feed>, limits: &Limits) -> Schema {
    let schema = Schema::build(Query, EmptyMutation, Subscription { feed }).limit_complexity(limits.complexity);
    schema.extension(OperationCost).disable_suggestions().finish()
}

/// The schema in its own language, as docs/schema.graphql keeps it.
pub fn sdl() -> String {
    let schema = Schema::build(Query, EmptyMutation, Subscription { feed: Arc::new(Feed::silent()) }).finish();
    let mut sdl = schema.sdl();
    // The exporter indents empty lines.
    sdl = sdl.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned();
    sdl.push('\n');
    sdl
}
