//! Several rooms at once.

use crate::service::Messages;
use crate::{access, view};
use contract::calls::messages::GetRooms;
use contract::{Answer, Caller, Refusal, Room, RoomId};

impl Answer<GetRooms> for Messages {
    async fn answer(&self, who: &Caller, call: GetRooms) -> Result<Vec<Room>, Refusal> {
        let reader = who.user()?.id;
        at_most_1000(&call.rooms)?;
        let wanted: Vec<_> = call.rooms.into_iter().map(|room| (room, reader)).collect();
        let mut raw: Vec<_> =
            self.db.read(move |tx| Box::pin(async move { view::several(tx, &wanted).await })).await?.into_iter().flatten().collect();
        raw.retain(|raw| access::look(raw.row.kind, raw.is_member).is_ok());
        self.resolver.rooms(raw).await
    }
}

/// How many rooms may be asked about at once.
pub(crate) fn at_most_1000(rooms: &[RoomId]) -> Result<(), Refusal> {
    let count = rooms.len();
    if count <= 1_000 { Ok(()) } else { Err(Refusal::invalid("rooms", format!("rooms: at most 1,000 at once, these are {count}"))) }
}
