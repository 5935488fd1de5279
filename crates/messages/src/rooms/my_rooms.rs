//! The caller's own rooms, newest activity first.

use crate::request::bad_after;
use crate::rooms::view;
use crate::service::Messages;
use crate::store::members;
use contract::calls::messages::{MyRooms, MyRoomsPlaced};
use contract::{Answer, Caller, Page, Placed, Refusal, Room, RoomId, Time};

impl Answer<MyRooms> for Messages {
    async fn answer(&self, who: &Caller, call: MyRooms) -> Result<Page<Room>, Refusal> {
        let MyRooms { after, limit } = call;
        self.answer(who, MyRoomsPlaced { after, limit }).await.map(Page::from)
    }
}

impl Answer<MyRoomsPlaced> for Messages {
    async fn answer(&self, who: &Caller, call: MyRoomsPlaced) -> Result<Placed<Room>, Refusal> {
        let reader = who.user()?.id;
        let after = call.after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        let limit = call.limit;
        let (page, raw) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let rooms = members::rooms_by_activity(tx, reader, after, limit.and_one()).await?;
                    let page = Placed::cut(rooms, limit, |(time, room)| format!("{}.{room}", time.0));
                    let wanted = page.items.iter().map(|(_, (_, room))| (*room, reader)).collect();
                    let raw = view::some(tx, wanted).await?;
                    Ok((page, raw))
                })
            })
            .await?;
        let rooms = self.resolver.rooms(raw).await?;
        Ok(Placed { items: page.items.into_iter().map(|(place, _)| place).zip(rooms).collect(), more: page.more })
    }
}

fn place(text: &str) -> Option<(Time, RoomId)> {
    let (time, room) = text.split_once('.')?;
    Some((Time(time.parse().ok()?), RoomId::parse(room)?))
}
