//! Who has reacted to a message with an emoji.

use super::target::read_target;
use crate::request::bad_after;
use crate::service::Messages;
use crate::store::state::{self, ReactionPlace};
use contract::calls::messages::{Reactor, Reactors};
use contract::{Answer, Caller, Page, Refusal};

impl Answer<Reactors> for Messages {
    async fn answer(&self, who: &Caller, call: Reactors) -> Result<Page<Reactor>, Refusal> {
        let reader = who.user()?.id;
        let after = call.after.map(|after| place(&after).ok_or_else(bad_after)).transpose()?.unwrap_or((0, 0));
        let (key, emoji, limit) = ((call.room, call.seq), String::from(call.emoji), call.limit);
        let found = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    if let Err(refusal) = read_target(tx, key.0, reader, key.1).await? {
                        return Ok(Err(refusal));
                    }
                    Ok(Ok(state::reactors(tx, key, &emoji, after, limit.and_one()).await?))
                })
            })
            .await??;
        let page = Page::cut(found, limit, |((seq, at), _, _)| if *at == 0 { seq.to_string() } else { format!("{seq}.{at}") });
        let names = self.names.of(page.items.iter().map(|(_, member, _)| *member).collect()).await?;
        let items = page.items.into_iter().map(|(_, member, created_at)| Ok(Reactor { username: names.name(member)?, created_at }));
        Ok(Page { items: items.collect::<Result<_, Refusal>>()?, next: page.next })
    }
}

/// Reads a place in the list: the seq of a reaction, with its place where it was told together with others (`7.3`).
fn place(after: &str) -> Option<ReactionPlace> {
    match after.split_once('.') {
        Some((seq, at)) => Some((seq.parse().ok()?, at.parse().ok()?)),
        None => Some((after.parse().ok()?, 0)),
    }
}
