//! Channels to join, newest first.

use crate::request::bad_after;
use crate::rooms::view;
use crate::service::Messages;
use crate::store::rooms;
use contract::calls::messages::ListChannels;
use contract::{Answer, Caller, Page, Refusal, Room, RoomId};

impl Answer<ListChannels> for Messages {
    async fn answer(&self, who: &Caller, call: ListChannels) -> Result<Page<Room>, Refusal> {
        let reader = who.user()?.id;
        let before = call.after.map(|text| RoomId::parse(&text).ok_or_else(bad_after)).transpose()?;
        let limit = call.limit;
        let page = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let page = Page::cut(rooms::channels(tx, before, limit.and_one()).await?, limit, |row| row.id.to_string());
                    let wanted = page.items.iter().map(|row| (row.id, reader)).collect();
                    Ok(Page { items: view::some(tx, wanted).await?, next: page.next })
                })
            })
            .await?;
        Ok(Page { items: self.resolver.rooms(page.items).await?, next: page.next })
    }
}
