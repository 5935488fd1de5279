//! The caller's own rooms, newest activity first.

use crate::list_channels::bad_after;
use crate::service::Messages;
use crate::store::members;
use crate::view;
use contract::calls::messages::MyRooms;
use contract::{Answer, Caller, Page, Refusal, Room, RoomId, Time};

impl Answer<MyRooms> for Messages {
    async fn answer(&self, who: &Caller, call: MyRooms) -> Result<Page<Room>, Refusal> {
        let reader = who.user()?.id;
        let after = call.after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        let limit = call.limit;
        let page = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let rooms = members::rooms_by_activity(tx, reader, after, limit.and_one()).await?;
                    let page = Page::cut(rooms, limit, |(time, room)| format!("{}.{room}", time.0));
                    let wanted = page.items.into_iter().map(|(_, room)| (room, reader)).collect();
                    Ok(Page { items: view::some(tx, wanted).await?, next: page.next })
                })
            })
            .await?;
        Ok(Page { items: self.resolver.rooms(page.items).await?, next: page.next })
    }
}

fn place(text: &str) -> Option<(Time, RoomId)> {
    let (time, room) = text.split_once('.')?;
    Some((Time(time.parse().ok()?), RoomId::parse(room)?))
}
