//! Who has reacted to a message with an emoji.

use super::target::read_target;
use crate::request::bad_after;
use crate::service::Messages;
use crate::store::state;
use contract::calls::messages::{Reactor, Reactors};
use contract::{Answer, Caller, Page, Refusal};

impl Answer<Reactors> for Messages {
    async fn answer(&self, who: &Caller, call: Reactors) -> Result<Page<Reactor>, Refusal> {
        let reader = who.user()?.id;
        let after = call.after.map(|after| after.parse::<i64>().map_err(|_| bad_after())).transpose()?.unwrap_or(0);
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
        let page = Page::cut(found, limit, |(seq, _, _)| seq.to_string());
        let names = self.names.of(page.items.iter().map(|(_, member, _)| *member).collect()).await?;
        let items = page.items.into_iter().map(|(_, member, created_at)| Ok(Reactor { username: names.name(member)?, created_at }));
        Ok(Page { items: items.collect::<Result<_, Refusal>>()?, next: page.next })
    }
}
