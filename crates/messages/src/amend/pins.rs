//! The pinned messages of a room.

use crate::membership::must_be_member;
use crate::request::after_pin;
use crate::service::Messages;
use crate::store::log::{self, LogRow};
use crate::store::{pinned, present};
use contract::calls::messages::Pins;
use contract::{Answer, Caller, Message, Page, Refusal};

impl Answer<Pins> for Messages {
    async fn answer(&self, who: &Caller, call: Pins) -> Result<Page<Message>, Refusal> {
        let reader = who.user()?.id;
        let before = after_pin(call.after)?;
        let (room, limit) = (call.room, call.limit);
        let (next, rows) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    if let Err(refusal) = must_be_member(tx, room, reader).await? {
                        return Ok(Err(refusal));
                    }
                    let pins = pinned::of_room(tx, room, before, limit.and_one()).await?;
                    let page = Page::cut(pins, limit, |(_, pin)| pin.to_string());
                    let keys: Vec<_> = page.items.iter().map(|(seq, _)| (room, *seq)).collect();
                    let mut rows: Vec<LogRow> = log::by_seq_each(tx, &keys).await?.into_iter().flatten().collect();
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok(Ok((page.next, rows)))
                })
            })
            .await??;
        Ok(Page { items: self.resolver.messages(rows, reader).await?, next })
    }
}
