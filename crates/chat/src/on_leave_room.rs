//! `leave room`: out of a channel or group. The members hear `member left`, the one who left too, and then nothing more.

use crate::events::Event;
use contract::Refusal;
use contract::calls::messages::RemoveMember;
use contract::wire::{InRoom, RoomAck};

pub(crate) async fn on_leave_room(event: Event, request: InRoom) -> Result<RoomAck, Refusal> {
    let Event { line, known, .. } = event;
    known.user.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let room = line.gateway.bus.ask(&known.caller, RemoveMember { room, username: known.user.username.clone() }).await?;
    Ok(RoomAck { room })
}
