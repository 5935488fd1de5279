//! Users.

use super::message::{self, Messages};
use super::scalars::DateTime;
use super::state::{self, States};
use super::thread::{self, Threads};
use crate::batch_loader::MessageRooms;
use crate::message_batch::MessageBatch;
use crate::paging::{limit, times};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use crate::shared_page::SharedPage;
use crate::user_batch::UserBatch;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Json, Object, Result};
use contract::calls::mentions::MyMentionsPlaced;
use contract::calls::threads::MyThreadsPlaced;
use contract::{Metadata, Page, Refusal, Username};

/// A user.
pub(crate) struct User {
    user: contract::User,
    /// Whether this is `me`, where there is more to be asked.
    is_me: bool,
}

impl User {
    pub(crate) fn new(user: contract::User) -> Self {
        Self { user, is_me: false }
    }

    pub(crate) fn me(user: contract::User) -> Self {
        Self { user, is_me: true }
    }

    /// One of those who were named together.
    pub(crate) async fn of(people: &UserBatch, context: &RequestContext, name: &Username) -> Result<Self, Refusal> {
        people.user(context, name).await.map(Self::new)
    }
}

/// A user, as everybody who is logged in may see them.
#[Object]
impl User {
    /// The id, for ever: a UUID.
    async fn id(&self) -> ID {
        self.user.id.to_string().into()
    }

    /// The name to log in and be addressed by; unique, never changes.
    async fn username(&self) -> &str {
        self.user.username.as_str()
    }

    /// The name to show; at first the username.
    async fn display_name(&self) -> &str {
        self.user.display_name.as_str()
    }

    /// What the user says beside the name.
    async fn status(&self) -> Option<&str> {
        self.user.status.as_ref().map(|status| status.as_str())
    }

    /// What the application noted on the user.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Option<Json<&Metadata>>> {
        let Some(metadata) = &self.user.metadata else { return Ok(None) };
        Ok(RequestContext::of(ctx)?.tell_bytes(metadata.bytes()).then_some(Json(metadata)))
    }

    /// When the user was first seen.
    async fn created_at(&self) -> DateTime {
        DateTime(self.user.created_at)
    }

    /// Whether the user has a live connection, or had one until a moment ago.
    async fn online(&self) -> bool {
        self.user.online.unwrap_or(false)
    }

    /// The threads that you follow, in all of your rooms, the one with the newest message first. Only `me` tells them; elsewhere this is null.
    #[graphql(complexity = "20 + times(&[first], 50) * child_complexity")]
    async fn threads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`true`: only those with something unread.", default)] unread: bool,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<Option<Threads>> {
        // It is asked for by itself, and so not where users are listed.
        if !self.is_me {
            return Ok(None);
        }
        let (limit, goes_on) = (limit("first", first).map_err(refuse)?, after.is_some());
        let call = MyThreadsPlaced { unread, after, limit };
        let page = RequestContext::of(ctx)?.look(call, |page| page.items.len()).await.map_err(refuse)?;
        let roots = || page.items.iter().map(|(_, thread)| &thread.root);
        let (batch, whereabouts) = (MessageBatch::new(roots()), MessageRooms::of(roots()));
        Ok(Some(thread::placed(SharedPage::from(page), goes_on, &batch, &whereabouts)))
    }

    /// The messages that mention you, by name or with everybody, in all of your rooms, the newest first. Of those to everybody, what others have sent since you
    /// joined. Only `me` tells them; elsewhere this is null.
    #[graphql(complexity = "20 + times(&[first], 50) * child_complexity")]
    async fn mentions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<Option<Messages>> {
        // As for threads.
        if !self.is_me {
            return Ok(None);
        }
        let (limit, goes_on) = (limit("first", first).map_err(refuse)?, after.is_some());
        let call = MyMentionsPlaced { after, limit };
        let page = RequestContext::of(ctx)?.look(call, |page| page.items.len()).await.map_err(refuse)?;
        let messages = || page.items.iter().map(|(_, message)| message);
        let (batch, whereabouts) = (MessageBatch::new(messages()), MessageRooms::of(messages()));
        Ok(Some(message::placed(SharedPage::from(page), goes_on, &batch, &whereabouts)))
    }

    /// Your own state, by key. Only `me` tells it; elsewhere this is null.
    #[graphql(complexity = "5 + times(&[first], 50) * child_complexity")]
    async fn state(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only keys that begin so.")] prefix: Option<String>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor, a key.")] after: Option<String>,
    ) -> Result<Option<States>> {
        // As for threads.
        if !self.is_me {
            return Ok(None);
        }
        Ok(Some(state::page(RequestContext::of(ctx)?, prefix, first, after).await?))
    }
}

/// A list of users, each at a place of their own.
pub(crate) type Users = Connection<String, User, EmptyFields, EmptyFields>;

/// A page of the directory, in which a user's place is the username.
pub(crate) fn directory(page: Page<contract::User>, goes_on_from: bool) -> Users {
    let mut users = Connection::new(goes_on_from, page.next.is_some());
    users.edges.extend(page.items.into_iter().map(|user| Edge::new(user.username.to_string(), User::new(user))));
    users
}
