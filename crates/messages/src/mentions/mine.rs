//! The messages that mention the caller, newest first.

use crate::request::bad_after;
use crate::service::Messages;
use crate::store::log::LogRow;
use crate::store::mentions::{self, MentionPlace};
use crate::store::{present, sets};
use contract::calls::mentions::{MyMentions, MyMentionsPlaced};
use contract::{Answer, Caller, Message, Page, Placed, Refusal, RoomId, Time};

impl Answer<MyMentions> for Messages {
    async fn answer(&self, who: &Caller, call: MyMentions) -> Result<Page<Message>, Refusal> {
        let MyMentions { after, limit } = call;
        self.answer(who, MyMentionsPlaced { after, limit }).await.map(Page::from)
    }
}

impl Answer<MyMentionsPlaced> for Messages {
    async fn answer(&self, who: &Caller, call: MyMentionsPlaced) -> Result<Placed<Message>, Refusal> {
        let reader = who.user()?.id;
        let MyMentionsPlaced { after, limit } = call;
        let after = after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        let (places, rows, more) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let found = mentions::of_member(tx, reader, after, limit.and_one()).await?;
                    let Placed { items, more } = Placed::cut(found, limit, |(at, room, seq)| format!("{}.{room}.{seq}", at.0));
                    let keys: Vec<_> = items.iter().map(|(_, (_, room, seq))| (*room, *seq)).collect();
                    let found = items.into_iter().zip(sets::rows(tx, &keys).await?);
                    let (places, mut rows): (Vec<String>, Vec<LogRow>) =
                        found.filter_map(|((place, _), row)| Some((place, row.filter(LogRow::is_message)?))).unzip();
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok((places, rows, more))
                })
            })
            .await?;
        Ok(Placed { items: places.into_iter().zip(self.resolver.messages(rows, reader).await?).collect(), more })
    }
}

fn place(text: &str) -> Option<MentionPlace> {
    let (time, rest) = text.split_once('.')?;
    let (room, seq) = rest.split_once('.')?;
    Some((Time(time.parse().ok()?), RoomId::parse(room)?, seq.parse().ok()?))
}
