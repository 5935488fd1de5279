//! `react`: gives a reaction, or takes it back. The members hear `reactions changed` from the log.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages;
use contract::wire::{React, ReactAck};

pub(crate) async fn on_react(event: Event, request: React) -> Result<ReactAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let React { seq, emoji, on, .. } = request;
    let reactions = connection.gateway.bus.ask(&user.caller, messages::React { room, seq, emoji, on }).await?;
    Ok(ReactAck { reactions })
}
