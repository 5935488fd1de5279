//! `delete message`: what a message said goes for good. The members hear `message deleted` from the log.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages;
use contract::wire::{DeleteMessage, MessageAck};

pub(crate) async fn on_delete_message(event: Event, request: DeleteMessage) -> Result<MessageAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let call = messages::DeleteMessage { room, seq: request.seq, reason: request.reason };
    let message = connection.gateway.bus.ask(&user.caller, call).await?;
    Ok(MessageAck { message: message.for_events() })
}
