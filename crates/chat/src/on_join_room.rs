//! `join room`: into a channel. The members hear `member joined`, the new one `room created` before it.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages::AddMember;
use contract::wire::{InRoom, RoomAck};

pub(crate) async fn on_join_room(event: Event, request: InRoom) -> Result<RoomAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let room = connection.gateway.bus.ask(&user.caller, AddMember { room, username: user.identity.username.clone() }).await?;
    Ok(RoomAck { room })
}
