//! What a search finds.

use super::message::Message;
use crate::request_context::RequestContext;
use async_graphql::{Context, Object, Result, SimpleObject};
use contract::Page;
use contract::calls::messages;

/// Messages that were found, newest first.
#[derive(SimpleObject)]
pub(crate) struct Finds {
    /// May be fewer than asked for, even none, where much had to be looked at.
    nodes: Vec<Found>,
    /// For `after`: what is older. Null is the end.
    next: Option<String>,
}

impl Finds {
    pub(crate) fn new(page: Page<messages::Found>) -> Self {
        let (found, excerpts): (Vec<_>, Vec<_>) = page.items.into_iter().map(|found| (found.message, found.excerpt)).unzip();
        let nodes = Message::all(found)
            .into_iter()
            .zip(excerpts)
            .map(|(message, excerpt)| Found { message, excerpt: excerpt.into_iter().map(Piece).collect() })
            .collect();
        Self { nodes, next: page.next }
    }
}

/// A message that was found.
#[derive(SimpleObject)]
pub(crate) struct Found {
    /// The message.
    message: Message,
    /// The part of its body around the first match, or its beginning where no `q` was asked for, in pieces: one behind the other they are that text.
    excerpt: Vec<Piece>,
}

/// A piece of a message's text.
pub(crate) struct Piece(messages::Piece);

#[Object]
impl Piece {
    /// The text, as it was sent; an `…` at either end stands for what is left out.
    async fn text(&self, ctx: &Context<'_>) -> Result<&str> {
        Ok(RequestContext::of(ctx)?.tell(&self.0.text))
    }

    /// Whether this is what was looked for.
    async fn matched(&self) -> bool {
        self.0.matched
    }
}
