//! One room.

use crate::service::Messages;
use crate::{access, view};
use contract::calls::messages::GetRoom;
use contract::{Answer, Caller, Refusal, Room};

impl Answer<GetRoom> for Messages {
    async fn answer(&self, who: &Caller, call: GetRoom) -> Result<Room, Refusal> {
        let reader = who.user()?.id;
        let raw = self.db.read(move |tx| Box::pin(view::one(tx, call.room, reader))).await?.ok_or_else(Refusal::no_room)?;
        access::look(raw.row.kind, raw.is_member)?;
        self.resolver.rooms(vec![raw]).await?.pop().ok_or_else(Refusal::no_room)
    }
}
