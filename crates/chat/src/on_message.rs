//! `message`: one message to one room. The acknowledgement means that it is on disk; the members hear `new message` from the log.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages;
use contract::wire::{MessageAck, SendMessage};

// Nothing may be awaited before the bus: a client's sends are to be queued in the order in which they came.
pub(crate) async fn on_message(event: Event, request: SendMessage) -> Result<MessageAck, Refusal> {
    let Event { connection, user, paid, warnings } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let rich = request.rich();
    let call = messages::Send { room, body: request.body, nonce: request.nonce, rich };
    let messages::Sent { message, created, warnings: undone } = connection.gateway.bus.ask(&user.caller, call).await?;
    if created {
        paid.counted();
    }
    warnings.add(undone);
    Ok(MessageAck { message })
}
