//! `edit message`: changes one of the user's own messages. The members hear `message edited` from the log.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages;
use contract::wire::{EditMessage, MessageAck};

// Nothing may be awaited before the bus: a client's sends and edits are to be queued in the order in which they came.
pub(crate) async fn on_edit_message(event: Event, request: EditMessage) -> Result<MessageAck, Refusal> {
    let Event { connection, user, warnings, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let EditMessage { seq, body, format, metadata, mentions, if_rev, .. } = request;
    let call = messages::EditMessage { room, seq, body: body.value("body")?, format, metadata, mentions, if_rev };
    let messages::Edited { message, warnings: undone } = connection.gateway.bus.ask(&user.caller, call).await?;
    warnings.add(undone);
    Ok(MessageAck { message: message.for_events() })
}
