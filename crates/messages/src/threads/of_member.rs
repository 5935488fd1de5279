//! The threads that the caller follows, the one with the newest message first.

use super::view;
use crate::request::bad_after;
use crate::service::Messages;
use crate::store::threads::{self, ThreadListPlace};
use contract::calls::threads::{MyThreads, Thread};
use contract::{Answer, Caller, Page, Refusal, RoomId, Time};

impl Answer<MyThreads> for Messages {
    async fn answer(&self, who: &Caller, call: MyThreads) -> Result<Page<Thread>, Refusal> {
        let reader = who.user()?.id;
        let MyThreads { unread, after, limit } = call;
        let after = after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        // All threads that one follows are looked at, and there may be thousands.
        let (raw, next) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let found = threads::of_member(tx, reader, unread, after, limit.and_one()).await?;
                    let page = Page::cut(found, limit, |(at, room, thread)| format!("{}.{room}.{thread}", at.0));
                    let roots: Vec<_> = page.items.into_iter().map(|(_, room, thread)| (room, thread)).collect();
                    Ok((view::read(tx, &roots, reader).await?, page.next))
                })
            })
            .await?;
        Ok(Page { items: self.threads(raw, reader).await?, next })
    }
}

fn place(text: &str) -> Option<ThreadListPlace> {
    let (time, rest) = text.split_once('.')?;
    let (room, thread) = rest.split_once('.')?;
    Some((Time(time.parse().ok()?), RoomId::parse(room)?, thread.parse().ok()?))
}
