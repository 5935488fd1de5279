//! `leave room`: out of a channel or group. The members hear `member left`, the one who left too, and then nothing more.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages::RemoveMember;
use contract::wire::{InRoom, RoomAck};

pub(crate) async fn on_leave_room(event: Event, request: InRoom) -> Result<RoomAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let room = connection.gateway.bus.ask(&user.caller, RemoveMember { room, username: user.identity.username.clone() }).await?;
    Ok(RoomAck { room })
}
