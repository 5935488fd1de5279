//! The messages that mention the caller, newest first.

use crate::request::bad_after;
use crate::service::Messages;
use crate::store::log::{self, LogRow};
use crate::store::mentions::{self, MentionPlace};
use crate::store::present;
use contract::calls::mentions::MyMentions;
use contract::{Answer, Caller, Message, Page, Refusal, RoomId, Time};

impl Answer<MyMentions> for Messages {
    async fn answer(&self, who: &Caller, call: MyMentions) -> Result<Page<Message>, Refusal> {
        let reader = who.user()?.id;
        let after = call.after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        let limit = call.limit;
        let (rows, next) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let found = mentions::of_member(tx, reader, after, limit.and_one()).await?;
                    let page = Page::cut(found, limit, |(at, room, seq)| format!("{}.{room}.{seq}", at.0));
                    let keys: Vec<_> = page.items.iter().map(|(_, room, seq)| (*room, *seq)).collect();
                    let mut rows: Vec<LogRow> = log::by_seq_each(tx, &keys).await?.into_iter().flatten().collect();
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok((rows, page.next))
                })
            })
            .await?;
        Ok(Page { items: self.resolver.messages(rows, reader).await?, next })
    }
}

fn place(text: &str) -> Option<MentionPlace> {
    let (time, rest) = text.split_once('.')?;
    let (room, seq) = rest.split_once('.')?;
    Some((Time(time.parse().ok()?), RoomId::parse(room)?, seq.parse().ok()?))
}
