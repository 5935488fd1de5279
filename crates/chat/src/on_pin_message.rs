//! `pin message` and `unpin message`. The members hear `message pinned` and `message unpinned` from the log.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages::Pin;
use contract::wire::{NothingAck, PinMessage};

pub(crate) async fn on_pin_message(event: Event, request: PinMessage) -> Result<NothingAck, Refusal> {
    set(event, request, true).await
}

pub(crate) async fn on_unpin_message(event: Event, request: PinMessage) -> Result<NothingAck, Refusal> {
    set(event, request, false).await
}

async fn set(event: Event, request: PinMessage, on: bool) -> Result<NothingAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    connection.gateway.bus.ask(&user.caller, Pin { room, seq: request.seq, on }).await?;
    Ok(NothingAck {})
}
