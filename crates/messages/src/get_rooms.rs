//! Several rooms at once.

use crate::service::Messages;
use crate::{access, view};
use contract::calls::messages::GetRooms;
use contract::{Answer, Caller, Refusal, Room, RoomId};

impl Answer<GetRooms> for Messages {
    async fn answer(&self, who: &Caller, call: GetRooms) -> Result<Vec<Room>, Refusal> {
        let reader = who.user()?.id;
        at_most(100, &call.rooms)?;
        let wanted: Vec<_> = call.rooms.into_iter().map(|room| (room, reader)).collect();
        let mut raw: Vec<_> =
            self.db.read_slowly(move |tx| Box::pin(async move { view::several(tx, &wanted).await })).await?.into_iter().flatten().collect();
        raw.retain(|raw| access::look(raw.row.kind, raw.is_member).is_ok());
        self.resolver.rooms(raw).await
    }
}

/// How many rooms may be asked about at once: as many as a page has where their messages are read, so that a call's answer has a bound.
pub(crate) fn at_most(most: usize, rooms: &[RoomId]) -> Result<(), Refusal> {
    let count = rooms.len();
    if count <= most { Ok(()) } else { Err(Refusal::invalid("rooms", format!("rooms: at most {most} at once, these are {count}"))) }
}
