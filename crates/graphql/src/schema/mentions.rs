//! Whom a message mentions.

use crate::request_context::RequestContext;
use async_graphql::{Context, Object, Result};
use contract::message;
use std::sync::Arc;

/// What a message that mentions somebody says of it.
pub(crate) struct Mentions {
    message: Arc<contract::Message>,
}

impl Mentions {
    /// None if the message mentions nobody.
    pub(crate) fn of(message: &Arc<contract::Message>) -> Option<Self> {
        message.mentions.is_some().then(|| Self { message: Arc::clone(message) })
    }

    fn told(&self) -> Option<&message::Mentions> {
        self.message.mentions.as_deref()
    }
}

/// Whom a message mentions. The text is never read for it.
#[Object]
impl Mentions {
    /// Members, by name: up to 50.
    async fn usernames(&self, ctx: &Context<'_>) -> Result<Vec<&str>> {
        let context = RequestContext::of(ctx)?;
        let users = self.told().map_or(&[][..], |mentions| &mentions.users);
        Ok(users.iter().map(|username| context.tell(username.as_str())).collect())
    }

    /// Whether it mentions everybody in the room.
    async fn room(&self) -> bool {
        self.told().is_some_and(|mentions| mentions.room)
    }
}
