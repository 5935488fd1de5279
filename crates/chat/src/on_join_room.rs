//! `join room`: into a channel. The members hear `member joined`, the new one `room created` before it.

use crate::events::Event;
use contract::Refusal;
use contract::calls::messages::AddMember;
use contract::wire::{InRoom, RoomAck};

pub(crate) async fn on_join_room(event: Event, request: InRoom) -> Result<RoomAck, Refusal> {
    let Event { line, known, .. } = event;
    known.user.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let room = line.gateway.bus.ask(&known.caller, AddMember { room, username: known.user.username.clone() }).await?;
    Ok(RoomAck { room })
}
