//! A user's membership in one room, for a gateway: see [`RoomOf`].

use crate::service::Messages;
use crate::store::{members, rooms};
use contract::calls::messages::{InRoom, RoomOf};
use contract::{Answer, Caller, Refusal};

impl Answer<RoomOf> for Messages {
    async fn answer(&self, who: &Caller, call: RoomOf) -> Result<Option<InRoom>, Refusal> {
        who.must_be_service()?;
        let RoomOf { user, room } = call;
        let found = self.db.read(move |tx| {
            Box::pin(async move {
                if !members::find(tx, room, user).await?.is_some_and(|member| member.active) {
                    return Ok(None);
                }
                rooms::find(tx, room).await
            })
        });
        Ok(found.await?.map(|row| InRoom { room: row.id, kind: row.kind, member_count: row.member_count }))
    }
}
