//! The pinned messages of a room.

use crate::access;
use crate::request::after_pin;
use crate::service::Messages;
use crate::store::log::{self, LogRow};
use crate::store::{members, pinned, present, rooms};
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
                    let Some(row) = rooms::find(tx, room).await? else { return Ok(Err(Refusal::no_room())) };
                    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
                    if let Err(refusal) = access::member_only(row.kind, is_member) {
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
