//! Several rooms at once.

use crate::access;
use crate::request::at_most;
use crate::rooms::view;
use crate::service::Messages;
use contract::calls::messages::GetRooms;
use contract::{Answer, Caller, Refusal, Room};

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
