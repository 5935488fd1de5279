//! Reactions.

use crate::batch_loader::MessageNow;
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::{Context, Object, Result};
use contract::log::ReactionsChanged;
use std::sync::Arc;

/// What told them.
#[derive(Clone)]
pub(crate) enum Reactions {
    /// An answer of a service, which says with which of them the reader has reacted.
    Of(Arc<contract::Message>),
    /// An event, which everybody hears alike.
    Changed(Arc<ReactionsChanged>, Arc<MessageNow>),
}

impl Reactions {
    fn told(&self) -> &[contract::Reaction] {
        match self {
            Self::Of(message) => &message.reactions,
            Self::Changed(changed, _) => &changed.reactions,
        }
    }

    /// Each of them, in the order of their first use.
    pub(crate) fn each(self) -> Vec<Reaction> {
        (0..self.told().len()).map(|at| Reaction { all: self.clone(), at }).collect()
    }
}

/// One of a message's reactions.
pub(crate) struct Reaction {
    all: Reactions,
    at: usize,
}

impl Reaction {
    fn told(&self) -> Option<&contract::Reaction> {
        self.all.told().get(self.at)
    }
}

/// How often one emoji was used on a message.
#[Object]
impl Reaction {
    /// The emoji.
    async fn emoji(&self) -> &str {
        self.told().map_or("", |reaction| reaction.emoji.as_str())
    }

    /// How many have reacted with it.
    async fn count(&self) -> i64 {
        self.told().map_or(0, |reaction| reaction.count)
    }

    /// The first 5 of them.
    async fn usernames(&self) -> Vec<&str> {
        let usernames = self.told().map_or(&[][..], |reaction| &reaction.usernames);
        usernames.iter().map(|username| username.as_str()).collect()
    }

    /// Whether you are among them.
    async fn mine(&self, ctx: &Context<'_>) -> Result<bool> {
        let Some(told) = self.told() else { return Ok(false) };
        let Reactions::Changed(_, now) = &self.all else { return Ok(told.mine.unwrap_or(false)) };
        let (message, _) = now.message(RequestContext::of(ctx)?).await.map_err(refuse)?;
        Ok(message.reactions.iter().any(|now| now.emoji == told.emoji && now.mine == Some(true)))
    }
}
