//! Which rooms a user is in, for a gateway: see [`RoomsOf`].

use crate::service::Messages;
use crate::store::{log, members};
use contract::calls::messages::{InRoom, InRooms, RoomsOf};
use contract::{Answer, Caller, Refusal};

impl Answer<RoomsOf> for Messages {
    async fn answer(&self, who: &Caller, call: RoomsOf) -> Result<InRooms, Refusal> {
        who.must_be_service()?;
        let (rooms, position) =
            self.db.read(move |tx| Box::pin(async move { Ok((members::rooms_of(tx, call.user).await?, log::end(tx).await?.0)) })).await?;
        let rooms = rooms.into_iter().map(|(room, kind, member_count)| InRoom { room, kind, member_count }).collect();
        Ok(InRooms { rooms, positions: vec![position] })
    }
}
