//! The threads that the caller follows, the one with the newest message first.

use super::view::{self, RawThread};
use crate::request::bad_after;
use crate::service::Messages;
use crate::store::threads::{self, ThreadListPlace};
use contract::calls::threads::{MyThreads, MyThreadsPlaced, Thread};
use contract::{Answer, Caller, Page, Placed, Refusal, RoomId, Time};

impl Answer<MyThreads> for Messages {
    async fn answer(&self, who: &Caller, call: MyThreads) -> Result<Page<Thread>, Refusal> {
        let MyThreads { unread, after, limit } = call;
        self.answer(who, MyThreadsPlaced { unread, after, limit }).await.map(Page::from)
    }
}

impl Answer<MyThreadsPlaced> for Messages {
    async fn answer(&self, who: &Caller, call: MyThreadsPlaced) -> Result<Placed<Thread>, Refusal> {
        let reader = who.user()?.id;
        let MyThreadsPlaced { unread, after, limit } = call;
        let after = after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        // All threads that one follows are looked at, and there may be thousands.
        let (raw, more) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let mut found = threads::of_member(tx, reader, unread, after, limit.and_one()).await?;
                    let more = found.len() > limit.get();
                    found.truncate(limit.get());
                    let roots: Vec<_> = found.into_iter().map(|(_, room, thread)| (room, thread)).collect();
                    Ok((view::read(tx, &roots, reader).await?, more))
                })
            })
            .await?;
        let places: Vec<String> = raw.iter().map(RawThread::place_of_member).collect();
        Ok(Placed { items: places.into_iter().zip(self.threads(raw, reader).await?).collect(), more })
    }
}

fn place(text: &str) -> Option<ThreadListPlace> {
    let (time, rest) = text.split_once('.')?;
    let (room, thread) = rest.split_once('.')?;
    Some((Time(time.parse().ok()?), RoomId::parse(room)?, thread.parse().ok()?))
}
