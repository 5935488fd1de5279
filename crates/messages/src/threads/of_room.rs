//! The threads of a room, the one with the newest message first. A thread of which every message was deleted is not among them.

use super::view;
use crate::membership::must_be_member;
use crate::request::bad_after;
use crate::service::Messages;
use crate::store::threads;
use contract::calls::threads::{RoomThreads, Thread};
use contract::{Answer, Caller, Page, Refusal};

impl Answer<RoomThreads> for Messages {
    async fn answer(&self, who: &Caller, call: RoomThreads) -> Result<Page<Thread>, Refusal> {
        let reader = who.user()?.id;
        let RoomThreads { room, after, limit } = call;
        let before = after.map_or(Ok(i64::MAX), |after| after.parse().map_err(|_| bad_after()))?;
        let (raw, next) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    if let Err(refusal) = must_be_member(tx, room, reader).await? {
                        return Ok(Err(refusal));
                    }
                    let page = Page::cut(threads::of_room(tx, room, before, limit.and_one()).await?, limit, |(_, last)| last.to_string());
                    let roots: Vec<_> = page.items.into_iter().map(|(seq, _)| (room, seq)).collect();
                    Ok(Ok((view::read(tx, &roots, reader).await?, page.next)))
                })
            })
            .await??;
        Ok(Page { items: self.threads(raw, reader).await?, next })
    }
}
