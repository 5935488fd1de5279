//! Users.

use super::scalars::DateTime;
use super::state::{self, States};
use crate::batch_loader::UserBatch;
use crate::paging::times;
use crate::request_context::RequestContext;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Json, Object, Result};
use contract::{Metadata, Page, Refusal, Username};

/// A user.
pub(crate) struct User(pub contract::User);

impl User {
    /// One of those who were named together.
    pub(crate) async fn of(people: &UserBatch, context: &RequestContext, name: &Username) -> Result<Self, Refusal> {
        people.user(context, name).await.map(Self)
    }
}

/// A user, as everybody who is logged in may see them.
#[Object]
impl User {
    /// The id, for ever: a UUID.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name to log in and be addressed by; unique, never changes.
    async fn username(&self) -> &str {
        self.0.username.as_str()
    }

    /// The name to show; at first the username.
    async fn display_name(&self) -> &str {
        self.0.display_name.as_str()
    }

    /// What the user says beside the name.
    async fn status(&self) -> Option<&str> {
        self.0.status.as_ref().map(|status| status.as_str())
    }

    /// What the application noted on the user.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Option<Json<&Metadata>>> {
        let Some(metadata) = &self.0.metadata else { return Ok(None) };
        Ok(RequestContext::of(ctx)?.tell_bytes(metadata.bytes()).then_some(Json(metadata)))
    }

    /// When the user was first seen.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Whether the user has a live connection, or had one until a moment ago.
    async fn online(&self) -> bool {
        self.0.online.unwrap_or(false)
    }

    /// Your own state, by key; null of everybody else.
    #[graphql(complexity = "5 + times(&[first], 50) * child_complexity")]
    async fn state(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only keys that begin so.")] prefix: Option<String>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor, a key.")] after: Option<String>,
    ) -> Result<Option<States>> {
        let context = RequestContext::of(ctx)?;
        if context.user()?.id != self.0.id {
            return Ok(None);
        }
        Ok(Some(state::page(context, prefix, first, after).await?))
    }
}

/// A list of users, each at a place of their own.
pub(crate) type Users = Connection<String, User, EmptyFields, EmptyFields>;

/// A page of the directory, in which a user's place is the username.
pub(crate) fn directory(page: Page<contract::User>, goes_on_from: bool) -> Users {
    let mut users = Connection::new(goes_on_from, page.next.is_some());
    users.edges.extend(page.items.into_iter().map(|user| Edge::new(user.username.to_string(), User(user))));
    users
}
